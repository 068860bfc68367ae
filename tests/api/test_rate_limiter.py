"""Rate limits are exact, shared among workers and kept over a restart."""

import subprocess
import sys
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.rate_limiter import RateLimiter
from schemas.config import Limits
from schemas.errors import LimitExceeded

LIMITS = Limits(requests_per_minute=60, logins_per_minute=6, samples_per_day=1000)


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def takes(limiter: RateLimiter, who: str) -> bool:
    try:
        limiter.take_request(who)
    except LimitExceeded:
        return False
    return True


def test_a_burst_of_one_minute_passes_and_then_one_request_per_second(tmp_path: Path):
    clock = Clock()
    limiter = RateLimiter(LIMITS, tmp_path / "table", clock)
    assert sum(takes(limiter, "anna") for _ in range(100)) == 60
    assert takes(limiter, "ben")
    for _ in range(5):  # 60 a minute is one a second
        assert not takes(limiter, "anna")
        clock.now += 1.0
        assert takes(limiter, "anna")
    clock.now += 3600
    assert sum(takes(limiter, "anna") for _ in range(100)) == 60


def test_ratelimit_headers_report_the_remaining_requests(tmp_path: Path):
    clock = Clock()
    limiter = RateLimiter(LIMITS, tmp_path / "table", clock)
    left = [limiter.take_request("anna").remaining for _ in range(60)]
    assert left == list(range(59, -1, -1))
    with pytest.raises(LimitExceeded) as over:
        limiter.take_request("anna")
    assert over.value.retry_after_s == 1
    clock.now += 30
    headers = dict(limiter.take_request("anna").headers())
    assert headers[b"ratelimit-policy"] == b'"default";q=60;w=60'
    assert headers[b"ratelimit"] == b'"default";r=29;t=31'


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 40)), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_no_request_pattern_exceeds_the_rate_plus_one_burst(
    tmp_path_factory: pytest.TempPathFactory, bursts: list[tuple[float, int]]
):
    clock = Clock()
    limiter = RateLimiter(LIMITS, tmp_path_factory.mktemp("limits") / "table", clock)
    passed = 0
    for pause_s, count in bursts:
        clock.now += pause_s
        passed += sum(takes(limiter, "anna") for _ in range(count))
    assert passed <= 60 + (clock.now - 1_000_000.0) * 1.0 + 1e-6
    limiter.close()


def test_the_daily_quota_resets_at_midnight_utc(tmp_path: Path):
    clock = Clock(now=20_000 * 86_400 - 10.0)  # ten seconds before midnight
    limiter = RateLimiter(LIMITS, tmp_path / "table", clock)
    limiter.take_samples("anna", 1000)
    with pytest.raises(LimitExceeded) as over:
        limiter.take_samples("anna", 1)
    assert over.value.retry_after_s == 11
    limiter.take_samples("ben", 1000)
    clock.now += 11
    limiter.take_samples("anna", 1000)


def test_a_refused_chunk_costs_nothing(tmp_path: Path):
    limiter = RateLimiter(LIMITS, tmp_path / "table", Clock())
    limiter.take_samples("anna", 900)
    with pytest.raises(LimitExceeded, match="200 more samples would exceed the 1000 of a day"):
        limiter.take_samples("anna", 200)
    limiter.take_samples("anna", 100)


def test_samples_of_yesterday_that_are_returned_do_not_count_for_today(tmp_path: Path):
    """A chunk was charged before midnight and could not be stored."""
    clock = Clock()
    limiter = RateLimiter(LIMITS, tmp_path / "table", clock)
    limiter.take_samples("anna", 900)
    clock.now += 86_400
    limiter.take_samples("anna", 10)
    limiter.refund_samples("anna", 900)
    limiter.take_samples("anna", 1000)
    with pytest.raises(LimitExceeded):
        limiter.take_samples("anna", 1)


def test_quotas_survive_a_restart(tmp_path: Path):
    clock = Clock()
    first = RateLimiter(LIMITS, tmp_path / "table", clock)
    first.take_samples("anna", 1000)
    first.close()
    again = RateLimiter(LIMITS, tmp_path / "table", clock)
    with pytest.raises(LimitExceeded):
        again.take_samples("anna", 1)


def test_a_clock_set_back_does_not_block_requests_for_longer_than_a_minute(tmp_path: Path):
    clock = Clock()
    limiter = RateLimiter(LIMITS, tmp_path / "table", clock)
    clock.now += 365 * 86_400
    assert takes(limiter, "anna")
    clock.now -= 365 * 86_400
    with pytest.raises(LimitExceeded) as over:
        limiter.take_request("anna")
    assert over.value.retry_after_s == 1
    clock.now += 1
    assert takes(limiter, "anna")


def logs_in(limiter: RateLimiter, address: str) -> bool:
    try:
        limiter.take_login(address)
    except LimitExceeded:
        return False
    return True


def test_logins_from_one_ipv6_prefix_are_counted_together(tmp_path: Path):
    limiter = RateLimiter(LIMITS, tmp_path / "table", Clock())
    own = [f"2001:db8:0:1:{number:x}::1" for number in range(20)]
    assert sum(logs_in(limiter, address) for address in own) == 6
    assert logs_in(limiter, "2001:db8:0:2::1")
    others = [f"192.0.2.{number}" for number in range(20)]
    assert all(logs_in(limiter, address) for address in others)


WORKER = """
import sys
from pathlib import Path
from api.rate_limiter import RateLimiter
from schemas.config import Limits
from schemas.errors import DiskFull, LimitExceeded
limiter = RateLimiter(Limits(requests_per_minute=500), Path(sys.argv[1]), lambda: 1_000_000.0)
sys.stdin.readline()
passed = 0
for _ in range(400):
    try:
        limiter.take_request("anna")
        passed += 1
    except LimitExceeded:
        pass
print(passed)
"""


def test_two_processes_share_the_limit_exactly(tmp_path: Path):
    command = [sys.executable, "-c", WORKER, str(tmp_path / "table")]
    workers = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(2)
    ]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    passed = [int(worker.communicate(timeout=60)[0]) for worker in workers]
    assert sum(passed) == 500


def test_a_full_bucket_evicts_the_longest_idle_key(tmp_path: Path):
    """With more keys than the table has slots nothing breaks, and the newest stay counted."""
    clock = Clock()
    limiter = RateLimiter(LIMITS, tmp_path / "table", clock)
    for number in range(80_000):
        clock.now += 0.001
        limiter.take_request(f"stranger {number}")
    newest = [f"stranger {number}" for number in range(79_500, 80_000)]  # of the last half second
    assert {limiter.take_request(who).remaining for who in newest} == {58}


def test_users_addresses_and_names_are_counted_apart(tmp_path: Path):
    limiter = RateLimiter(Limits(passwords_per_minute=1), tmp_path / "table", Clock())
    limiter.take_password("anna")
    assert limiter.take_login("anna").remaining == Limits().logins_per_minute - 1
    assert limiter.take_request("anna").remaining == Limits().requests_per_minute - 1


def test_phones_behind_one_address_may_all_log_in_within_a_minute(tmp_path: Path):
    limiter = RateLimiter(Limits(), tmp_path / "table", Clock())
    for _ in range(500):
        limiter.take_login("the address of a gym")


def test_correct_passwords_are_not_counted(tmp_path: Path):
    clock = Clock()
    limiter = RateLimiter(Limits(passwords_per_minute=3), tmp_path / "table", clock)
    for _ in range(10):
        limiter.take_password("anna")
        limiter.refund_password("anna")
    for _ in range(3):
        limiter.take_password("anna")
    with pytest.raises(LimitExceeded) as over:
        limiter.take_password("anna")
    assert (over.value.limit, over.value.retry_after_s) == ("passwords", 20)
    limiter.take_password("ben")
    clock.now += 20
    limiter.take_password("anna")


def test_the_bucket_of_a_key_is_not_predictable(tmp_path: Path):
    def bucket(name: str) -> int:
        """The bucket of a key if the hash were not keyed with a secret."""
        return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") % 8192

    wanted = bucket("user anna")
    lines = (f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(1 << 24))
    beside = list(islice((line for line in lines if bucket(f"address {line}") == wanted), 8))
    limiter = RateLimiter(LIMITS, tmp_path / "table", Clock())
    limiter.take_samples("anna", 1000)
    for line in beside:
        limiter.take_login(line)
    with pytest.raises(LimitExceeded):
        limiter.take_samples("anna", 1)


def test_addresses_of_any_length_are_not_kept(tmp_path: Path):
    limiter = RateLimiter(LIMITS, tmp_path / "table", Clock())
    limiter.take_login("x" * 64 + "y" * 60_000)
    assert limiter.take_login("x" * 64 + "z").remaining == LIMITS.logins_per_minute - 2
