"""The recipe of a run: its settings, and the name that tells models of other recipes apart."""

from dataclasses import replace
from datetime import datetime

from models.exercise.examples import ExampleSettings
from pipelines.exercise.global_fit import GlobalModels
from pipelines.exercise.manifest import recipe_name
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.windows import WindowRecipe
from schemas.config import Config


def recipe_of(config: Config, cutoff_at: datetime | None = None) -> Recipe:
    """The recipe of the settings; `named_recipe` adds its name."""
    settings = config.training
    return Recipe(
        name="",
        newest_sets=settings.newest_sets,
        cutoff_at=cutoff_at,
        cutoff_share=settings.cutoff_share,
        windows=WindowRecipe(
            ExampleSettings(step_s=settings.window_step_s, copies=settings.window_copies),
            settings.seed,
        ),
    )


def named_recipe(recipe: Recipe, global_models: GlobalModels) -> Recipe:
    """The recipe with the name that goes into every digest."""
    versions = ",".join(
        f"{layout}:{global_models[layout].version}" for layout in sorted(global_models)
    )
    return replace(recipe, name=recipe_name(recipe, versions))
