// Reads a Muvr exercise model in its raw form (`GET /v1/me/models/exercise?format=raw`) and answers
// with it, with nothing but the language. Run on its own it proves itself on the golden vectors:
//
//   node examples/phone/exercise.ts model.json
//
// prints {"scores": [...], "probabilities": [...], "strangeness": [...], "worst": 1.2e-7} and ends
// with 1 when the worst difference is over the manifest's tolerance.

import { readFileSync } from "node:fs";

type Tensor = { dtype: "float32" | "int8"; shape: number[]; base64: string };
type Golden = {
  x: number[][];
  scores: number[][];
  probabilities: number[][];
  strangeness: number[];
};
type Manifest = {
  labels: string[];
  clip: number;
  prototype_step: number;
  typical: number;
  tolerance: number;
  calibration: { window: number };
  golden: Golden;
};
type Raw = { format: string; manifest: Manifest; tensors: Record<string, Tensor> };
export type Answer = { scores: number[]; probabilities: number[]; strangeness: number };

/** The numbers of a tensor, row by row. */
function numbers(tensor: Tensor): Float32Array | Int8Array {
  const bytes = Uint8Array.from(Buffer.from(tensor.base64, "base64"));
  return tensor.dtype === "int8" ? new Int8Array(bytes.buffer) : new Float32Array(bytes.buffer);
}

export class ExerciseModel {
  readonly manifest: Manifest;
  private readonly tensors: Record<string, Float32Array | Int8Array>;

  constructor(raw: Raw) {
    if (raw.format !== "muvr-exercise-raw-1") throw new Error(`unknown format ${raw.format}`);
    this.manifest = raw.manifest;
    this.tensors = Object.fromEntries(
      Object.entries(raw.tensors).map(([name, tensor]) => [name, numbers(tensor)]),
    );
  }

  /** What one window's raw features look like. */
  answer(x: number[]): Answer {
    const { mean, scale, weights, bias, prototypes, precision } = this.tensors;
    const { clip, prototype_step, typical, calibration } = this.manifest;
    const z = x.map((value, i) => Math.min(clip, Math.max(-clip, (value - mean[i]) / scale[i])));
    const scores = Array.from(bias, (b, k) =>
      z.reduce((sum, value, i) => sum + value * weights[k * z.length + i], b),
    );
    let nearest = Infinity;
    for (let p = 0; p < prototypes.length; p += z.length) {
      let distance = 0;
      for (let i = 0; i < z.length; i++) {
        const away = z[i] - prototypes[p + i] * prototype_step;
        distance += precision[i] * away * away;
      }
      nearest = Math.min(nearest, distance);
    }
    return {
      scores,
      probabilities: softmax(scores.map((score) => score * calibration.window)),
      strangeness: Math.log(nearest + 1e-6) - typical,
    };
  }
}

function softmax(scores: number[]): number[] {
  const highest = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - highest));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/** The largest difference between two lists of numbers, relative above 1. */
function worst(mine: number[], theirs: number[]): number {
  return Math.max(
    ...mine.map((value, i) => Math.abs(value - theirs[i]) / Math.max(1, Math.abs(theirs[i]))),
  );
}

function main(path: string): number {
  const model = new ExerciseModel(JSON.parse(readFileSync(path, "utf8")));
  const { golden, tolerance } = model.manifest;
  const answers = golden.x.map((x) => model.answer(x));
  const furthest = Math.max(
    ...answers.map((answer, i) =>
      Math.max(
        worst(answer.scores, golden.scores[i]),
        worst(answer.probabilities, golden.probabilities[i]),
        worst([answer.strangeness], [golden.strangeness[i]]),
      ),
    ),
  );
  console.log(
    JSON.stringify({
      scores: answers.map((answer) => answer.scores),
      probabilities: answers.map((answer) => answer.probabilities),
      strangeness: answers.map((answer) => answer.strangeness),
      worst: furthest,
    }),
  );
  return furthest <= tolerance ? 0 : 1;
}

if (process.argv[2]) process.exit(main(process.argv[2]));
