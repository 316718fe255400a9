// An application that is done at once.
