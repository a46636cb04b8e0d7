"""What the reading child tells its parent instead of rows. Standard library only: the child starts in no time."""


class UnreadableError(Exception):
    """The file is refused; *refusal* names a class of ``supervise.files.refusals``, which has the sentence."""

    def __init__(self, refusal: str, **parameters: str | int) -> None:
        self.refusal = refusal
        self.parameters = parameters
        super().__init__(refusal, parameters)
