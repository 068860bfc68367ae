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

from schemas.config import Config, Paths
from schemas.errors import BadConfig

PREFIX = "MUVR_"


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


def _parse(path: Path) -> dict[str, Any]:
    try:
        # as bytes: YAML says itself how it is encoded, whatever the locale
        values: Any = yaml.safe_load(path.read_bytes()) or {}
    except (OSError, yaml.YAMLError) as problem:
        raise BadConfig(f"{path} cannot be read: {problem}", field=str(path)) from problem
    if not isinstance(values, dict) or not all(isinstance(v, dict) for v in values.values()):
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
    tls_ca, archive, jwks = (
        _absolute(name, root)
        for name in (config.cassandra.tls_ca, config.spark.archive, config.auth.outside_jwks)
    )
    return config.model_copy(
        update={
            "paths": Paths(
                **{name: root / Path(value).expanduser() for name, value in config.paths}
            ),
            "cassandra": config.cassandra.model_copy(update={"tls_ca": tls_ca}),
            "spark": config.spark.model_copy(update={"archive": archive}),
            "auth": config.auth.model_copy(update={"outside_jwks": jwks}),
        }
    )


def _absolute(file: str, root: Path) -> str:
    """The path of a file; no file, and the address of one elsewhere, stay as they are."""
    return file if not file or "://" in file else str(root / Path(file).expanduser())
