"""Why a party is a candidate, and how strongly that speaks: a grade with a definition, never a probability."""

from supervise.labels import N_, LabelledEnum


class Grade(LabelledEnum):
    """How strongly a ground speaks (docs/rules.md, A-1)."""

    A = "A", N_("A: a record of this very call, SMS or order")
    B = "B", N_("B: holder of the number at that moment")
    C = "C", N_("C: claim, answer or pattern")


class GroundKind(LabelledEnum):
    """Why a party is a candidate."""

    CALL_STAFF = "call_staff", N_("Staff number in the call's record")
    CALL_LINE = "call_line", N_("The call's record, and the holder of the calling number")
    MESSAGE = "message", N_("The message's record, and the holder of the port")
    ORDER_STAFF = "order_staff", N_("Staff number of an order after the call")
    ORDER_CHANNEL = "order_channel", N_("Sales channel of an order after the call")
    HOLDER = "holder", N_("Holder of the number at the moment")
    CLAIM = "claim", N_("Name that the caller gave")
    SIGNATURE = "signature", N_("Signature of the message")
    ANSWER_OURS = "answer_ours", N_("The party says that it was its call")
    ANSWER_NAMED = "answer_named", N_("Another party names it")
    ANSWER_SILENT = "answer_silent", N_("Asked, and silent beyond the deadline")
    PATTERN = "pattern", N_("Other confirmed incidents of the same number")
    ROTATION = "rotation", N_("Confirmed incidents of the same subscriber from changing numbers")
    BURST = "burst", N_("Confirmed incidents of the same subscriber on the same day")


GRADES = {
    **dict.fromkeys(GroundKind, Grade.C),
    **dict.fromkeys(
        (
            GroundKind.CALL_STAFF,
            GroundKind.CALL_LINE,
            GroundKind.MESSAGE,
            GroundKind.ORDER_STAFF,
            GroundKind.ORDER_CHANNEL,
        ),
        Grade.A,
    ),
    GroundKind.HOLDER: Grade.B,
}
#: Other incidents, and silence: they contradict nobody.
_HINTS = (GroundKind.PATTERN, GroundKind.ROTATION, GroundKind.BURST, GroundKind.ANSWER_SILENT)
#: Grounds by which a party is named as the one that called.
NAMING = tuple(kind for kind in GroundKind if kind not in _HINTS)
