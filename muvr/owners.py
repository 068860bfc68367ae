"""Which model an operator means: of whom, of which family, and of which layout if several."""

from uuid import UUID

from schemas.errors import NotFound
from schemas.inputs import INPUTS
from schemas.layout import GLOBAL_OWNER, owner_of
from store.champions import Champions
from store.database import Database
from store.models import Models
from store.users import Users


async def owner_named(database: Database, user: str) -> str:
    """The owner of models: `global`, or a user by name, else by id as `muvr jobs show` says it.

    A user of an outside issuer has an id but no name.

    Raises:
        NotFound: nobody has this name, and it is no id.
    """
    if user == GLOBAL_OWNER:
        return GLOBAL_OWNER
    found = await Users(database).by_name(user)
    if found is not None:
        return owner_of(found.user_id)
    try:
        return owner_of(UUID(user))
    except ValueError as problem:
        raise NotFound(f"There is no user {user}; POST /v1/auth/register makes one") from problem


async def pointer_meant(
    database: Database, user: str, family: str, model_id: str | None
) -> tuple[str, str]:
    """The owner and the `model_id` of a pointer, as `muvr models list` shows them.

    Args:
        database: with the pointers.
        user: name, id or `global`.
        family: of the model.
        model_id: as it was said; None: the first layout that the owner has a pointer for, or with
            no pointer a kept version.

    Raises:
        NotFound: nobody has this name, and it is no id.
    """
    owner = await owner_named(database, user)
    if model_id is not None:
        return owner, model_id
    pointers = await Champions(database).of_owner(owner)
    there = {one.model_id for one in pointers if one.family == family}
    for layout in INPUTS:
        if layout in there or (
            not there and await Models(database).versions(owner, layout, family)
        ):
            return owner, layout
    return owner, INPUTS[0]
