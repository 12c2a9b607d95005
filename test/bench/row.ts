/** One figure of the benchmark. */
export interface BenchRow {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** The same work beside a baseline or peer in the same run: ours divided by theirs. */
  readonly than?: { readonly name: string; readonly ratio: number }
}
