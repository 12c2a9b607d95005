// Whoever mistypes a name is told which one was probably meant.

/** The known name that has all words of this one, or else differs least, if it differs little. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const words = name.split('-')
  const fuller = known.find((candidate) =>
    words.every((word) => word !== '' && candidate.split('-').includes(word)),
  )
  if (fuller !== undefined) return fuller
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name.slice(0, 64), candidate)
    if (distance < bestDistance) {
      bestDistance = distance
      best = candidate
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      current.push(Math.min(replaced, above[j]! + 1, current[j - 1]! + 1))
    }
    above = current
  }
  return above[b.length]!
}
