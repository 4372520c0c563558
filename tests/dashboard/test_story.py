"""The chain of causes reads in the reader's language."""

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
