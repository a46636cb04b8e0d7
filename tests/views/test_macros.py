"""What the form macros make of fields, where a browser would take it otherwise than we mean."""

from flask import Flask, render_template_string
from wtforms import SelectChoice, SelectMultipleField
from wtforms.validators import InputRequired
from wtforms.widgets import CheckboxInput, ListWidget

from supervise.views.forms import FilterForm


class ChoiceForm(FilterForm):
    """At least one of several boxes."""

    kinds = SelectMultipleField(
        "Kinds",
        choices=[SelectChoice("a", "A"), SelectChoice("b", "B")],
        validators=[InputRequired()],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )


def test_a_browser_does_not_ask_for_every_box_of_a_choice_of_several(app: Flask) -> None:
    with app.test_request_context():
        page = render_template_string(
            '{% from "macros/forms.html" import field %}{{ field(form.kinds) }}', form=ChoiceForm(formdata=None)
        )

    assert page.count('type="checkbox"') == 2
    assert "required" not in page
