"""The fault table of a bundle: what can go wrong, what happens then, and the tests that make it go wrong.

``python -m tests.models.fault_table`` runs them and prints the table with how each fared; ``test_publishing.py`` fails
where a test of these two files is not listed here.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections import Counter
from pathlib import Path

import pytest

FILES = tuple(Path(__file__).parent / name for name in ("test_damaged_bundles.py", "test_publishing.py"))

# What goes wrong; what happens; the tests that show it.
FAULTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("a file is missing", "refused, the file named", ("test_a_missing_file_is_named",)),
    ("a byte is flipped, in any file", "refused, the file named", ("test_a_flipped_byte_is_found_anywhere",)),
    ("a file is truncated", "refused, the file named", ("test_a_truncated_file_is_found",)),
    (
        "a file too many, or a link",
        "refused; nothing runs",
        ("test_an_extra_file_is_refused", "test_a_link_is_not_a_file"),
    ),
    (
        "the manifest is edited by hand",
        "refused by its own digest",
        (
            "test_a_manifest_that_was_edited_is_found_by_its_own_digest",
            "test_an_unexpected_manifest_is_refused",
            "test_a_manifest_names_no_file_outside_its_folder",
        ),
    ),
    ("a file is damaged", "no file is parsed", ("test_nothing_is_parsed_before_every_file_is_verified",)),
    (
        "features in another order, hashes right",
        "refused by the golden rows",
        ("test_features_in_another_order_fail_the_self_test", "test_a_feature_too_few_is_refused"),
    ),
    (
        "a protected feature",
        "refused when written and when opened",
        ("test_a_protected_feature_is_refused_on_loading_too",),
    ),
    ("a calibration that breaks the rules", "refused", ("test_a_calibration_that_breaks_the_rules_is_refused",)),
    (
        "scores differ from training",
        "refused by the golden rows (margin: 1e-12)",
        (
            "test_changed_expectations_fail_the_self_test",
            "test_the_golden_rows_hold_the_margin_to_one_part_in_a_million_million",
            "test_golden_rows_that_leave_an_outcome_out_are_refused",
            "test_a_bundle_that_fails_its_self_test_never_serves",
        ),
    ),
    (
        "made by another release or library",
        "newer format or LightGBM major refused; else the golden rows decide",
        (
            "test_another_format_is_named",
            "test_the_format_before_is_still_read",
            "test_a_newer_lightgbm_is_refused",
            "test_any_other_difference_of_versions_is_left_to_the_golden_rows",
        ),
    ),
    ("another machine", "the same margins, to 1e-12", ("test_another_machine_gives_the_same_margins",)),
    (
        "nothing published, or a pointer to nothing",
        "refused, and what to run",
        ("test_a_missing_bundle_or_pointer_says_what_to_run",),
    ),
    (
        "parts that do not fit together",
        "nothing is written",
        ("test_parts_that_do_not_fit_are_refused_and_leave_nothing",),
    ),
    ("a bundle stands there already", "never overwritten", ("test_a_bundle_is_never_overwritten",)),
    ("disk full while writing", "nothing is left behind", ("test_a_full_disk_while_writing_leaves_nothing",)),
    (
        "disk full while publishing, at every step",
        "the served bundle stays",
        ("test_a_full_disk_while_publishing_leaves_what_served",),
    ),
    (
        "a damaged copy under the root",
        "replaced, and never the last good one",
        ("test_a_damaged_copy_under_the_root_is_replaced", "test_a_damaged_bundle_does_not_become_the_last_good"),
    ),
    (
        "two publishers at once",
        "one after the other, or the second waits",
        ("test_two_publishers_at_once_leave_two_whole_bundles", "test_a_second_publisher_waits_then_gives_up"),
    ),
    (
        "a publisher killed at every step",
        "the pointer names a whole bundle",
        ("test_a_publisher_killed_at_every_step_leaves_a_pointer_to_a_whole_bundle",),
    ),
)

NO_FAULT = (
    "test_a_bundle_is_these_plain_files_and_no_pickle",
    "test_what_it_keeps_of_the_training_data_is_no_row_of_it",
    "test_reference_of_a_small_column",
    "test_publish_swaps_the_pointer_and_keeps_the_last_good",
    "test_calibration_in_a_bundle_reads_back_exactly",
    "test_the_fault_table_lists_every_test",
)
"""Tests in which nothing goes wrong."""


class _Outcomes:
    """Counts how each test function fared."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.rpartition("::")[2].partition("[")[0]
        if report.failed:
            self.failed[name] += 1
        elif report.when == "call" and report.passed:
            self.passed[name] += 1


def main() -> int:
    outcomes = _Outcomes()
    command = ["-n", "0", "-p", "no:cacheprovider", *map(str, FILES)]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = int(pytest.main(command, plugins=[outcomes]))
    if code:
        sys.stderr.write(said.getvalue())
    widest = max(len(fault) for fault, _, _ in FAULTS)
    for fault, then, tests in FAULTS:
        wrong, right = (sum(counts[name] for name in tests) for counts in (outcomes.failed, outcomes.passed))
        held = f"{right} ways" if right and not wrong else f"FAILED in {wrong} of {wrong + right} ways"
        sys.stdout.write(f"{fault:<{widest}}  {then:<68}  {held}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
