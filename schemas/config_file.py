"""Reads conf.yaml and its overrides into `schemas.config.Config`, once per process.

Source of a value, strongest first: environment (`MUVR_API__PORT=9000`), conf.yaml, the default.
"""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from yaml.constructor import ConstructorError

from schemas.config import Config, Paths
from schemas.errors import BadConfig

PREFIX = "MUVR_"
_MERGE = (
    "tag:yaml.org,2002:merge"  # `<<: *other`, whose keys another one of the mapping may replace
)


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read conf.yaml and its overrides.

    Args:
        path: the file; its folder is the root of relative paths.
        environment: variables to look for overrides in; the process's own by default.

    Raises:
        BadConfig: an unknown key (the nearest known one is named), a wrong value, bad YAML.
    """
    values = _parse(path)
    for section, key, text in _overrides(os.environ if environment is None else environment):
        values.setdefault(section, {})[key] = text
    _refuse_unknown(values, path)
    try:
        config = Config.model_validate(values)
    except ValidationError as problem:
        first = problem.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BadConfig(
            f"{path}: {field} = {first['input']!r}: {first['msg']}",
            field=field,
            value=first["input"],
        ) from problem
    return _with_absolute_paths(config, path.resolve().parent)


class _UniqueKeys(yaml.SafeLoader):
    """YAML as `safe_load` reads it, except that a key written twice is an error.

    YAML's readers let the last one win: of a section that was appended to a file which has it
    already, all other settings would fall back to their defaults.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """One mapping of the file.

        Raises:
            ConstructorError: a key stands in it twice.
        """
        lines: dict[str, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                continue
            key, line = key_node.value, key_node.start_mark.line + 1
            if key in lines:
                raise ConstructorError(
                    None, None, f"`{key}` stands in lines {lines[key]} and {line}: merge them"
                )
            lines[key] = line
        return super().construct_mapping(node, deep)


def _parse(path: Path) -> dict[str, Any]:
    try:
        # as bytes: YAML says itself how it is encoded, whatever the locale
        values: Any = _UniqueKeys(path.read_bytes()).get_single_data() or {}
    except (OSError, yaml.YAMLError) as problem:
        raise BadConfig(f"{path} cannot be read: {problem}", field=str(path)) from problem
    if not isinstance(values, dict) or not all(
        isinstance(name, str) and isinstance(keys, dict) for name, keys in values.items()
    ):
        raise BadConfig(f"{path} must hold sections of keys, such as `api:` with `port: 8080`")
    return values


def _overrides(environment: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """`MUVR_API__PORT=1` as ("api", "port", "1")."""
    overrides: list[tuple[str, str, str]] = []
    for name, text in sorted(environment.items()):
        section, separator, key = name.removeprefix(PREFIX).lower().partition("__")
        if name.startswith(PREFIX) and separator:
            overrides.append((section, key, text))
    return overrides


def _refuse_unknown(values: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    sections = Config.model_fields
    for section, keys in values.items():
        if section not in sections:
            raise _unknown(path, section, list(sections))
        known = getattr(Config(), section).__class__.model_fields
        for key in keys:
            if key not in known:
                raise _unknown(path, f"{section}.{key}", [f"{section}.{k}" for k in known])


def _unknown(path: Path, key: str, known: list[str]) -> BadConfig:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)[0]
    return BadConfig(f"{path}: unknown key `{key}`; did you mean `{near}`?", field=key, value=key)


def _with_absolute_paths(config: Config, root: Path) -> Config:
    """Commands run in any folder: relative paths are meant from that of the settings."""
    folders = {name: _under(root, f"paths.{name}", str(folder)) for name, folder in config.paths}

    def file(section: str, key: str) -> dict[str, str]:
        """A setting that names a file; none, and the address of one elsewhere, stay as they are."""
        name: str = getattr(getattr(config, section), key)
        stays = not name or "://" in name
        return {key: name if stays else str(_under(root, f"{section}.{key}", name))}

    return config.model_copy(
        update={
            "paths": Paths(**folders),
            "cassandra": config.cassandra.model_copy(update=file("cassandra", "tls_ca")),
            "spark": config.spark.model_copy(update=file("spark", "archive")),
            "auth": config.auth.model_copy(update=file("auth", "outside_jwks")),
        }
    )


def _under(root: Path, field: str, name: str) -> Path:
    """The path that a setting names, from the folder of the settings."""
    try:
        return root / Path(name).expanduser()
    except RuntimeError as problem:  # ~name of nobody, or ~ of an account without a home
        raise BadConfig(f"{field} = {name!r}: {problem}", field=field, value=name) from problem
