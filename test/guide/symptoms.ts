// The troubleshooting of the operator's guide: each entry quotes what programs say, and is provoked once by a scene in
// which the real programs do. An entry that nobody provokes fails, and so does one that quotes what nobody says.
import assert from 'node:assert/strict'
import { documents, headings, section } from '../support/documents.ts'
import { waitFor } from '../support/wait.ts'

/** Where an operator reads what is quoted. */
export const voices = ['leasequery check', 'kea-leasequery', 'lease-feed-status', 'Kea'] as const
export type Voice = (typeof voices)[number]

/** All that was said so far. */
export type Said = Readonly<Partial<Record<Voice, () => string | Promise<string>>>>

/** Makes an entry's situation, has the quotations heard in it, and takes all of it away again. */
export type Scene = (heard: (said: Said) => Promise<void>) => Promise<void>

/** Scenes by the titles of the entries. */
export type Scenes = Readonly<Record<string, Scene>>

interface Quotation {
  readonly voice: Voice
  readonly text: string
  readonly pattern: RegExp
}

export interface Symptom {
  readonly title: string
  readonly quotations: readonly Quotation[]
}

const SECTION = 'Troubleshooting'

/** The entries, as the guide has them. */
export function symptoms(): readonly Symptom[] {
  const troubleshooting = section(documents.guide, SECTION)
  return headings(troubleshooting)
    .filter(({ depth }) => depth === 4)
    .map(({ title, body }) => ({ title, quotations: quotationsOf(title, body) }))
}

function quotationsOf(title: string, body: string): Quotation[] {
  const block = /^```text\n([\s\S]*?)^```/m.exec(body)?.[1]
  assert.ok(block, `'${title}' quotes nothing: a block of text is wanted`)
  for (const word of ['Means', 'Do']) assert.match(body, new RegExp(`^\\*${word}:\\* `, 'm'), title)
  return block
    .trimEnd()
    .split('\n')
    .map((line) => {
      const voice = voices.find((voice) => line.startsWith(`${voice}: `))
      assert.ok(voice, `'${title}': nobody is said to say: ${line}`)
      const text = line.slice(voice.length + 2)
      return { voice, text, pattern: patternOf(text) }
    })
}

/** `…` stands for what differs from case to case. */
function patternOf(text: string): RegExp {
  const parts = text.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(parts.join('.*'))
}

/** Plays the scene of an entry, until all is heard that the entry quotes. */
export async function play({ title, quotations }: Symptom, scene: Scene): Promise<void> {
  let wasHeard = false
  await scene(async (said) => {
    for (const { voice, text, pattern } of quotations) {
      const speech = said[voice]
      assert.ok(speech, `'${title}': nobody listens to ${voice}`)
      let heard = ''
      await waitFor(`${voice} to say: ${text}`, async () => {
        heard = await speech()
        return pattern.test(heard)
      }).catch((cause) => {
        throw new Error(`'${title}': ${voice} does not say\n  ${text}\nbut\n${heard.slice(-3000)}`, { cause })
      })
    }
    wasHeard = true
  })
  assert.ok(wasHeard, `'${title}': the scene ended before anything was heard`)
}
