"""CEL: values, errors at both times, and a budget that is the same everywhere."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from cluster.apiserver import cel
from cluster.apiserver.cel import Budget, CompileError, EvalError, Exhausted

SELF = {"n": 3, "name": "web", "list": [1, 2, 3], "map": {"a": 1, "b": 2}, "items": [{"x": 1}, {"x": 2}], "none": None}


def value(text, budget=10_000, **variables):
    found = {"self": SELF, **variables}
    return cel.compile(text, dict.fromkeys(found, "dyn")).evaluate(found, Budget(budget))


TRUE = [
    "1 + 2 * 3 == 7", "-7 / 2 == -3", "-7 % 2 == -1", "7.0 / 2.0 == 3.5", "dyn(1) == 1.0", "1u + 2u == 3u",
    "!(1 == 2)", "'a' + 'b' == \"ab\"", "r'\\d' == '\\\\d'", "b'ab' == bytes('ab')", "'''a\nb'''.size() == 3",
    "'\\u00e9'.size() == 1", "true ? 1 == 1 : 1 / 0 == 1", "false && 1 / 0 == 1 || true", "1 / 0 == 1 || true",
    "2 in [1, 2]", "'a' in self.map", "self.n == 3", "self['n'] == 3", "self.list[0] == 1",
    "has(self.n) && !has(self.zz)", "self.none == null", "self.list.all(x, x > 0)", "self.list.exists(x, x == 2)",
    "self.list.exists_one(x, x == 2)", "self.list.map(x, x * 2) == [2, 4, 6]", "self.list.map(x, x > 1, x) == [2, 3]",
    "self.list.filter(x, x > 1) == [2, 3]", "self.map.all(k, self.map[k] > 0)", "self.map.exists(k, v, v == 2)",
    "self.list.all(i, v, v == i + 1)", "self.map.transformList(k, v, v).sum() == 3",
    "self.map.transformMap(k, v, v + 1)['a'] == 2", "self.items.map(i, i.x).sum() == 3",
    "[3, 1, 2].max() == 3 && [3, 1].min() == 1", "[1, 2].isSorted()", "['b', 'a'].indexOf('a') == 1",
    "[1, 1].distinct() == [1]", "[[1], [2]].flatten() == [1, 2]", "[2, 1].sort() == [1, 2]",
    "self.items.sortBy(i, -i.x)[0].x == 2", "lists.range(3) == [0, 1, 2]", "[1, 2, 3].slice(1, 2) == [2]",
    "'hello'.matches('^h.*o$')", "'hello'.contains('ell') && 'hello'.startsWith('he') && 'hello'.endsWith('lo')",
    "'a,b'.split(',') == ['a', 'b'] && ['a', 'b'].join('-') == 'a-b'", "'Ab'.lowerAscii() == 'ab'",
    "' a '.trim() == 'a'", "'hello'.replace('l', 'L', 1) == 'heLlo'", "'hello'.substring(1, 3) == 'el'",
    "'hello'.indexOf('l') == 2", "'abc 123'.find('[0-9]+') == '123'", "'a1b2'.findAll('[0-9]') == ['1', '2']",
    "'%s is %d'.format(['x', 3]) == 'x is 3'", "size('abc') == 3 && size([1]) == 1 && size({'a': 1}) == 1",
    "int('3') == 3 && string(3) == '3' && double('1.5') == 1.5",
    "type(1) == int && type('a') == string && type([]) == list", "duration('1h30m') > duration('1h')",
    "duration('90s').getMinutes() == 1", "timestamp('2026-01-02T03:04:05Z').getFullYear() == 2026",
    "timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z') == duration('24h')",
    "quantity('1Gi').isGreaterThan(quantity('1000Mi'))",
    "quantity('500m').add(quantity('500m')).compareTo(quantity('1')) == 0", "isQuantity('1Mi') && !isQuantity('1xx')",
    "quantity('2k').asInteger() == 2000", "url('https://a.b:8080/p?q=1').getHostname() == 'a.b'",
    "url('https://a.b:8080/p').getPort() == '8080'", "!isURL('a b')", "isIP('10.0.0.1') && !isIP('10.0.0')",
    "ip('::1').family() == 6", "cidr('10.0.0.0/8').containsIP('10.1.2.3')",
    "cidr('10.0.0.0/8').containsCIDR(cidr('10.1.0.0/16'))", "cidr('10.0.0.1/8').masked() == cidr('10.0.0.0/8')",
    "semver('1.2.3').isGreaterThan(semver('1.2.3-rc.1'))", "isSemver('1.0.0') && semver('1.2.3').minor() == 2",
    "sets.contains([1, 2], [2]) && sets.intersects([1], [1, 2]) && sets.equivalent([1, 2], [2, 1])",
    "optional.of(1).hasValue() && optional.none().orValue(2) == 2", "self.?zz.orValue('d') == 'd'",
    "self.?n.value() == 3", "self.map[?'zz'].orValue(0) == 0", "optional.of(2).optMap(x, x + 1).value() == 3",
    "cel.bind(x, self.n, x + x == 6)", "math.greatest(1, 2, 3) == 3",
    "format.dns1123Label().validate('a').hasValue() == false", "format.dns1123Label().validate('A_').hasValue()",
    "{'a': 1}.a == 1", "{1: 'x'}[1] == 'x'", "[1, 'a', null].size() == 3", "self.list == [1, 2, 3] // a remark",
    "'a' < 'b' && 1 < 2.5", "string(duration('90s')) == '90s'", "dyn(1) == 1u",
]  # fmt: skip


@pytest.mark.parametrize("text", TRUE)
def test_an_expression_is_true(text):
    assert value(text) is True


FAILS = [
    ("self.zz == 1", "no such key: zz"),
    ("1 / (self.n - 3) == 1", "division by zero"),
    ("self.list[7] == 1", "index out of bounds: 7"),
    ("9223372036854775807 + self.n > 0", "integer overflow"),
    ("self.name + self.n == ''", "no such overload"),
    ("optional.none().value() == 1", "optional.none() dereference"),
    ("self.list.all(x, 1 / (x - 2) < 5)", "division by zero"),
    ("self.name.substring(9) == ''", "index out of range: 9"),
    ("int('x') == 1", 'strconv.ParseInt: parsing "x": invalid syntax'),
]


@pytest.mark.parametrize(("text", "message"), FAILS)
def test_an_evaluation_may_fail(text, message):
    with pytest.raises(EvalError) as failed:
        value(text)
    assert str(failed.value) == message


REFUSED = [
    ("foo", "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo\n | ^"),
    (
        "1 + 'a'",
        "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n | 1 + 'a'\n | ..^",
    ),
    ("self.x(", "Syntax error"),
    ("1 +", "Syntax error: mismatched input '<EOF>' expecting an expression"),
    ("nothing()", "undeclared reference to 'nothing' (in container '')"),
    ("'a' == 1", "found no matching overload for '_==_' applied to '(string, int)'"),
    ("'abc", "Syntax error: token recognition error at: ''abc'"),
    ("has(1)", "invalid argument to has() macro"),
    ("if", "reserved identifier: if"),
    ("(" * 500 + "1" + ")" * 500, "expression recursion limit exceeded"),
    ("-" * 5000 + "1", "expression recursion limit exceeded"),
    ("1" + " + 1" * 500, "expression recursion limit exceeded"),
    ("[" * 10_000, "expression recursion limit exceeded"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_wrong_expression_is_refused_when_it_is_written(text, message):
    with pytest.raises(CompileError) as refused:
        cel.compile(text, {"self": "dyn"})
    assert message in str(refused.value)


def test_a_thousand_conditions_are_no_thousand_levels():
    assert value(" && ".join(["self.n == 3"] * 1000), budget=100_000) is True


BOMBS = [
    "self.l.all(a, self.l.all(b, self.l.all(c, self.l.all(d, a + b + c + d >= 0))))",
    "cel.bind(a, 'x'.replace('x', 'xxxxxxxxxx'), cel.bind(b, a.replace('x', a), cel.bind(c, b.replace('x', b),"
    " cel.bind(d, c.replace('x', c), d.replace('x', d).size() > 0))))",
    "self.l.map(a, self.l.map(b, self.l.map(c, self.l)))  == []",
    "'%s'.format([" + "cel.bind(a, [1, 1], " + "cel.bind(a, [a, a, a, a, a], " * 9 + "a" + ")" * 10 + "]) == ''",
]


@pytest.mark.parametrize("text", BOMBS)
def test_no_expression_takes_more_than_its_budget(text):
    with pytest.raises((Exhausted, EvalError)):
        value(text, self={"l": list(range(200))})


def test_the_same_costs_the_same():
    def cost():
        budget = Budget(100_000)
        program = cel.compile("self.list.all(x, x < 10) && self.name.matches('^w')", {"self": "dyn"})
        program.evaluate({"self": SELF}, budget)
        return budget.left

    assert cost() == cost() < 100_000


pieces = st.sampled_from(
    ["self", ".", "n", "list", "(", ")", "[", "]", "{", "}", ",", ":", "?", "==", "+", "-", "&&", "||", "!", "in", "1",
     "'a'", "all", "map", "x", "has", "size", "0x", "\\", '"', "//", "u", "1.5", "quantity", "matches", " "]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(pieces, max_size=14).map("".join) | st.text(max_size=12))
def test_no_text_does_anything_but_compile_or_not(text):
    try:
        program = cel.compile(text, {"self": "dyn"})
        program.evaluate({"self": SELF}, Budget(2_000))
    except (CompileError, EvalError, Exhausted):
        pass
