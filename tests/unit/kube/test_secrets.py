"""Reading Secrets: what is decoded, what is ours, and what a repr says."""

from base64 import b64encode
from typing import Any

import pytest

from certwright.errors import InvalidSpec
from certwright.kube.secrets import OPAQUE, parse


def body(**more: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "a", "name": "b", "uid": "u"}, **more}


def test_data_is_decoded_and_in_no_repr() -> None:
    secret = parse(body(type="x", data={"k": b64encode(b"\x00hidden").decode(), "empty": ""}), manager="us")
    assert secret.data == {"k": b"\x00hidden", "empty": b""}
    assert "hidden" not in repr(secret)
    assert "data" not in repr(secret)


@pytest.mark.parametrize("more", [{}, {"data": None}, {"data": {}}])
def test_no_data(more: dict[str, Any]) -> None:
    secret = parse(body(**more), manager="us")
    assert (secret.data, secret.type, secret.immutable, secret.applied) == ({}, OPAQUE, False, frozenset())


@pytest.mark.parametrize("data", [{"k": "a"}, {"k": 7}, ["k"]])
def test_what_is_not_base64(data: Any) -> None:
    with pytest.raises(InvalidSpec, match="secret a/b: its data is not base64"):
        parse(body(data=data), manager="us")


def test_what_is_ours_is_what_we_applied() -> None:
    fields = {
        "f:metadata": {"f:labels": {".": {}, "f:ours": {}}, "f:annotations": {"f:x/y": {}}},
        "f:data": {"f:tls.crt": {}},
    }
    managed = [
        {"manager": "us", "operation": "Apply", "fieldsV1": fields},
        {"manager": "us", "operation": "Update", "fieldsV1": {"f:data": {"f:other": {}}}},
        {"manager": "them", "operation": "Apply", "fieldsV1": {"f:data": {"f:theirs": {}}}},
        {"manager": "us", "operation": "Apply"},
    ]
    raw = body()
    raw["metadata"] |= {"managedFields": managed, "ownerReferences": [{"uid": "o"}]}
    secret = parse({**raw, "immutable": True}, manager="us")
    assert secret.applied == {"labels/ours", "annotations/x/y", "data/tls.crt"}
    assert secret.owner_uids == ("o",)
    assert secret.immutable
