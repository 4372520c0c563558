"""Chance without a hidden state: every roll is a pure function of the seed and of what it is rolled for.

A generator with a position would have to be saved, and one roll more in one component would change all later ones
everywhere else. `dice.roll("pull", pod_uid, attempt)` is the same number whoever asks, whenever, in any order.
"""

from hashlib import blake2b

NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes': no vowels, so no words; no look-alikes.


class Dice:
    """Rolls that depend on `seed` and labels only. Labels: strings and integers."""

    __slots__ = ("seed",)

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def roll(self, *labels: str | int) -> int:
        """64 uniform bits."""
        text = f"{self.seed}\x1f" + "\x1f".join(map(str, labels))
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")

    def between(self, low: int, high: int, *labels: str | int) -> int:
        """An integer of [low, high]."""
        return low + self.roll(*labels) % (high - low + 1)

    def unit(self, *labels: str | int) -> float:
        """A float of [0, 1). Never decide anything in the world by comparing floats: use `between`."""
        return self.roll(*labels) / 2**64

    def suffix(self, *labels: str | int) -> str:
        """Five characters as `generateName` appends them."""
        bits, letters = self.roll(*labels), []
        for _ in range(5):
            bits, index = divmod(bits, len(NAME_ALPHABET))
            letters.append(NAME_ALPHABET[index])
        return "".join(letters)

    def uuid(self, *labels: str | int) -> str:
        """A random-looking version 4 UUID."""
        text = f"{self.seed}\x1f" + "\x1f".join(map(str, labels))
        digits = blake2b(text.encode(), digest_size=16).hexdigest()
        variant = "89ab"[int(digits[16], 16) % 4]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
