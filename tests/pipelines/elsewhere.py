"""Train with a given conf.yaml, in a process with a Spark session of its own."""

import json
import sys
from pathlib import Path

from pipelines.exercise.job import train_exercise
from schemas.config_file import load_config

if __name__ == "__main__":
    report = train_exercise(load_config(Path(sys.argv[1])))
    sys.stdout.write(json.dumps([report.status, dict(report.counts)]))
