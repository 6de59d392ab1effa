import pytest

from dubai_landcover_plugin.protocol.remaining_time import RemainingTime, in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "5 seconds"), (7.9, "5 seconds"), (8, "10 seconds"), (44, "40 seconds"), (54, "50 seconds"),
        (55, "1 minute"), (95, "2 minutes"), (3000, "50 minutes"), (3500, "1 hour"), (9000, "2.5 hours"),
        (72000, "20 hours"),
    ],
)  # fmt: skip
def test_words_are_no_more_exact_than_the_estimate(seconds, words):
    assert in_words(seconds) == words


class TestRemainingTime:
    def estimate(self, *reports):
        """The words after reports at given times."""
        now = [0.0]
        remaining, words = RemainingTime(lambda: now[0]), ""
        for now[0], share in reports:
            words = remaining.words(round(share * 1000), 1000)
        return words

    def test_it_goes_by_the_share_since_the_first_report(self):
        assert self.estimate((0, 0), (100, 0.25)) == "about 5 minutes left"
        assert self.estimate((50, 0.5), (100, 0.75)) == "about 50 seconds left"  # a run that resumes

    @pytest.mark.parametrize("reports", [[(0, 0)], [(0, 0), (1, 0.5)], [(0, 0), (60, 0.001)], [(0, 0), (9, 1)]])
    def test_it_is_silent_while_nothing_is_known_and_at_the_end(self, reports):
        assert self.estimate(*reports) == ""

    def test_a_second_run_begins_anew(self):
        assert self.estimate((0, 0), (50, 1), (60, 0), (70, 0.5)) == "about 10 seconds left"

    def test_an_unknown_total_is_no_error(self):
        assert RemainingTime().words(0, 0) == ""
