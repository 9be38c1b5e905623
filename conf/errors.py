"""The one error that a person is meant to read."""


class FranklinError(Exception):
    """A mistake that a person can mend: one line that names the culprit and the way out.

    Engines write it into their result file and the command prints it without a traceback. Anything else that is
    raised is a defect of franklin's and keeps its traceback.
    """
