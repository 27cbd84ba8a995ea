"""Resolving names in YAML to modules."""

import pytest

from segda.config import lookup
from segda.errors import ConfigError


def test_a_name_is_a_file() -> None:
    assert lookup.module("segda.label_spaces", "camvid").__name__ == "segda.label_spaces.camvid"


@pytest.mark.promise("unknown-keys")
def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'cityscapes'"):
        lookup.module("segda.label_spaces", "cityscape")


def test_a_name_like_nothing_gets_all_of_them() -> None:
    with pytest.raises(ConfigError, match="valid: camvid, camvid10, cityscapes"):
        lookup.module("segda.label_spaces", "zzz")


@pytest.mark.promise("yaml-runs-no-code")
def test_outside_code_needs_permission(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_allowed_plugins", set())
    with pytest.raises(ConfigError, match="--plugin json"):
        lookup.module("segda.label_spaces", "json.decoder")
    lookup.allow_plugin("json")
    assert lookup.module("segda.label_spaces", "json.decoder").__name__ == "json.decoder"


def test_a_plugin_module_that_does_not_exist_is_a_config_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_allowed_plugins", {"json"})
    with pytest.raises(ConfigError, match=r"json\.nowhere"):
        lookup.module("segda.label_spaces", "json.nowhere")


@pytest.mark.promise("names-stay-inside")
@pytest.mark.parametrize("name", ["", "..", "../os", ".camvid", "camvid/x"])
def test_a_name_never_leaves_its_folder(name: str) -> None:
    with pytest.raises(ConfigError):
        lookup.module("segda.label_spaces", name)
