"""The chain of causes reads in the reader's language."""

import pytest
from django.utils import translation

from dashboard.story import actor, sentence


def test_a_sentence_of_why_is_said_in_portuguese():
    with translation.override("pt-br"):
        said = sentence("Pod/default/web-1 was bound to worker-3.")

    assert said == "web-1 foi vinculado a worker-3."


def test_a_sentence_of_unknown_form_stays_as_it_is():
    assert sentence("Something new happened.") == "Something new happened."


def test_names_are_shown_without_kind_and_namespace():
    assert sentence("Pod/shop/cart-x was marked for deletion.") == "cart-x was marked for deletion."
    assert sentence("The lease of worker-2 was renewed at 00:40.1 for the last time, and then no more.").startswith(
        "The lease of worker-2"
    )


def test_a_click_on_this_page_was_you():
    assert actor("orrery-page") == "You"
    assert sentence("orrery-page asked: PATCH /api/v1/nodes/worker-1.") == "You asked: PATCH /api/v1/nodes/worker-1."


def test_what_the_cloud_does_is_told_in_portuguese():
    with translation.override("pt-br"):
        said = sentence("The cloud took machine worker-2 back. Nobody told the cluster.")

    assert said == "A nuvem tomou a máquina worker-2 de volta. Ninguém avisou o cluster."


@pytest.mark.parametrize(
    ("english", "portuguese"),
    [
        ("Node worker-1 changed.", "O nó worker-1 mudou."),
        (
            "Somebody shut machine worker-1 down. Its kubelet ends the pods first.",
            "Alguém desligou a máquina worker-1. O kubelet dela encerra os pods antes.",
        ),
        ("A manifest was written on the disk of worker-1.", "Um manifesto foi gravado no disco de worker-1."),
        ("web-1: Ready is False (ContainersNotReady).", "web-1: Ready é False (ContainersNotReady)."),
        ("best score: 385", "melhor pontuação: 385"),
        ("one of 2 with the best score, 385", "um dos 2 com a melhor pontuação, 385"),
        ("as good as worker-1 (385); the dice chose", "tão bom quanto worker-1 (385); os dados escolheram"),
        ("1 point behind worker-1, lost in ImageLocality", "1 ponto atrás de worker-1, perdido em ImageLocality"),
        (
            "3 points behind worker-1, most of them lost in ImageLocality",
            "3 pontos atrás de worker-1, perdidos sobretudo em ImageLocality",
        ),
        ("the only node that fits: taken without scoring", "o único nó que serve: escolhido sem pontuar"),
        ("refused by NodeName: node(s) didn't match", "recusado por NodeName: node(s) didn't match"),
        ("the pod may only run on worker-1", "o pod só pode rodar em worker-1"),
        (
            "not kept of this decision, which looked at 3 of 9 nodes",
            "não guardado desta decisão, que olhou 3 de 9 nós",
        ),
    ],
)
def test_what_is_said_about_a_node_is_said_in_portuguese(english: str, portuguese: str):
    assert sentence(english) == english
    with translation.override("pt-br"):
        assert sentence(english) == portuguese


def test_why_a_pod_stays_on_a_silent_node_is_said_in_portuguese():
    silent = "web-1 stays on worker-2, although worker-2 is not reachable."

    with translation.override("pt-br"):
        said = sentence(f"{silent} It tolerates the taint for 300 s; then it is evicted.")

    assert said.startswith("web-1 continua em worker-2, embora ele esteja inacessível. Ele tolera o taint por 300 s")
