"""Write every `.expected` file of the corpus anew: `python -m tests.headers.update`. Review the diff."""

from __future__ import annotations

from tests.headers import EXPECTED, HERE, outcome, scripts


def main() -> None:
    kept = set()
    for script in scripts():
        expected = script.with_name(script.name + EXPECTED)
        kept.add(expected)
        text = outcome(script)
        if not expected.exists() or expected.read_bytes() != text.encode():
            expected.write_bytes(text.encode())
            print(expected.relative_to(HERE))
    for expected in HERE.glob(f"*/*{EXPECTED}"):
        if expected not in kept:
            expected.unlink()
            print(expected.relative_to(HERE), "(removed)")


if __name__ == "__main__":
    main()
