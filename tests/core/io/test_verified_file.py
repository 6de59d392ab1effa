"""Files that are read back."""

import pytest

from dubai_landcover_plugin.core.io.verified_file import VerifiedFile


def test_a_file_that_is_as_written_is_accepted(tmp_path):
    file = VerifiedFile(tmp_path / "a.bin")
    assert file.writable()
    assert file.write(b"one ") == 4
    file.write(memoryview(b"two"))
    assert file.tell() == 7
    file.verify()
    assert file.closed
    assert (tmp_path / "a.bin").read_bytes() == b"one two"


@pytest.mark.parametrize("content", [b"", b"one", b"one\0two", b"one two "])
def test_a_file_that_is_not_as_written_is_refused(tmp_path, content):
    class Changed(VerifiedFile):
        def close(self):
            super().close()
            (tmp_path / "a.bin").write_bytes(content)

    file = Changed(tmp_path / "a.bin")
    file.write(b"one two")
    with pytest.raises(OSError, match=r"a\.bin is not what was written"):
        file.verify()
