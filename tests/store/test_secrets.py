"""What carries a secret is refused, and no message repeats one."""

import pytest

from pipeline.errors import InputError
from pipeline.store.secrets import refuse_secrets, without_secrets


@pytest.mark.parametrize(
    "path",
    [
        "s3://key:hunter2@bucket/a.jsonl",
        "https://user@example.org/a.jsonl",
        "https://example.org/a.jsonl?X-Amz-Signature=hunter2",
        "gs://bucket/*.jsonl?x-goog-credential=hunter2",
        "https://example.org/a?page=2&access_token=hunter2",
        "https://example.org/a;apikey=hunter2",
        "abfs://me:hunter2@account.dfs.core.windows.net/a.jsonl",
        "source.paths=[s3://key:hunter2@bucket/a.jsonl]",
    ],
)
def test_a_url_with_a_secret_is_refused_and_not_repeated(path):
    with pytest.raises(InputError) as error:
        refuse_secrets(path)
    assert "credentials come from the environment" in str(error.value)
    assert "hunter2" not in str(error.value) and "user@" not in str(error.value)


@pytest.mark.parametrize(
    "path",
    [
        "a?token=1.jsonl",  # a file's name, no URL
        "s3://bucket/a@b.jsonl",
        "https://example.org/a?page=2&tokens=3",
        "abfs://container@account.dfs.core.windows.net/data/a.jsonl",
    ],
)
def test_what_carries_none_passes(path):
    refuse_secrets(path)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, 1 < 2?", "plain words, 1 < 2?"),
        ("no s3://key:hunter2@bucket/a there", "no s3://bucket/a there"),
        ("GET 'https://h/a?sig=hunter2&x=1' failed", "GET 'https://h/a' failed"),
        ('"https://h/a?page=2" failed', '"https://h/a" failed'),
        ("bucket/a.jsonl?sig=hunter2 failed", "(a URL with a secret) failed"),
        ("https://h/a;key=hunter2: failed", "(a URL with a secret) failed"),
        ("abfs://me:hunter2@account/a, abfs://container@account/a", "abfs://account/a, abfs://container@account/a"),
        ("a\ns3://k:hunter2@b/c", "a\ns3://b/c"),
    ],
)
def test_text_without_secrets(text, shown):
    assert without_secrets(text) == shown
    assert without_secrets(shown) == shown


@pytest.mark.parametrize(
    "path",
    [
        "abfs://c@acct.dfs.core.windows.net/x.jsonl?sv=2&sig=S3CR3T",
        '["abfs://c@a/x","s3://key:S3CR3T@bucket/x"]',
        '["abfs://c@a","abfss://d:S3CR3T@b"]',
    ],
)
def test_a_container_hides_no_secret_behind_it(path: str) -> None:
    with pytest.raises(InputError) as caught:
        refuse_secrets(path)
    assert "S3CR3T" not in str(caught.value)


def test_a_long_text_is_cut_before_it_is_looked_at() -> None:
    shown = without_secrets("a" * 1_000_000 + " https://user:S3CR3T@host")
    assert shown == "a" * 4_000 + "…"
