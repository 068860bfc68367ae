"""Resolves what an operator names to a user, to the owner of a model and its input layout."""

from contextlib import suppress
from uuid import UUID

from schemas.errors import NotFound
from schemas.inputs import INPUTS
from schemas.layout import GLOBAL_OWNER, owner_of
from store.champions import Champions
from store.database import Database
from store.models import ModelKey, Models
from store.users import User, Users


async def resolve_owner(database: Database, user: str) -> str:
    """The owner of models: `global`, or a user by name, else by id as `muvr jobs show` prints it.

    A user of an outside issuer has an id but no name.

    Raises:
        NotFound: nobody has this name, and it is no id.
    """
    if user == GLOBAL_OWNER:
        return GLOBAL_OWNER
    try:
        return owner_of((await Users(database).named(user)).user_id)
    except NotFound:
        with suppress(ValueError):
            return owner_of(UUID(user))
        raise


async def find_user(database: Database, user: str) -> User:
    """The user with this name, or else with this id.

    Raises:
        NotFound: nobody.
    """
    users = Users(database)
    try:
        return await users.named(user)
    except NotFound:
        with suppress(ValueError):
            if found := await users.by_id(UUID(user)):
                return found
        raise


async def resolve_model(
    database: Database, user: str, family: str, model_id: str | None
) -> ModelKey:
    """The key of a model, as `muvr models list` shows it.

    Args:
        database: with the pointers.
        user: name, id or `global`.
        family: of the model.
        model_id: as given; None: the first layout for which the owner has a pointer, or without
            any pointer a stored version.

    Raises:
        NotFound: nobody has this name, and it is no id.
    """
    owner = await resolve_owner(database, user)
    if model_id is not None:
        return ModelKey(owner, model_id, family)
    pointers = await Champions(database).of_owner(owner)
    layouts = {pointer.model_id for pointer in pointers if pointer.family == family}
    for layout in INPUTS:
        if layout in layouts or (
            not layouts and await Models(database).versions(ModelKey(owner, layout, family))
        ):
            return ModelKey(owner, layout, family)
    return ModelKey(owner, INPUTS[0], family)
