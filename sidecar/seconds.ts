/** Milliseconds as seconds for people and programs to read, to the tenth. */
export function secondsOf(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10
}
