"""National identification numbers of Turkey: eleven digits, the last two of which check the others."""


def is_national_number(text: str) -> bool:
    """Whether it can be one; numbers of foreigners, which begin with 99, are made the same way."""
    if len(text) != 11 or not (text.isascii() and text.isdigit()) or text[0] == "0":
        return False
    digits = [int(character) for character in text]
    tenth = (sum(digits[0:9:2]) * 7 - sum(digits[1:8:2])) % 10
    return tenth == digits[9] and sum(digits[:10]) % 10 == digits[10]


def may_be_foreign(text: str) -> bool:
    """Whether it looks like a number of a foreigner; not all of those check, so that a wrong one is only doubtful."""
    return len(text) == 11 and text.isascii() and text.isdigit() and text.startswith("99")
