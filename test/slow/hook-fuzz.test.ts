// libFuzzer on what the hook takes from others: requests at its socket, and its parameters. Ten seconds each from the inputs in
// kea-hook/fuzz/corpus, where an input that was found to break something belongs as well.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { promisify } from 'node:util'
import { packageRoot } from '../support/package-root.ts'
import { keaRoots } from '../support/roots.ts'

const SECONDS = 10
const run = promisify(execFile)
const out = join(packageRoot, 'build', 'fuzz')
const root = keaRoots().find(({ name }) => name === 'trixie')!

before(async () => {
  if (root.skip !== false) return
  await run('bash', [join(packageRoot, 'kea-hook', 'fuzz', 'build-fuzzers.sh'), root.root, out])
})

/** In a mount namespace of its own, as the hook is built. */
const inRoot = `
mount --bind "$2" "$1/mnt"
mount -t proc proc "$1/proc"
exec chroot "$1" "$@"`

const places = { request: 'here', parameters: 'root' } as const

for (const [name, place] of Object.entries(places)) {
  test(`whatever the hook is given as ${name}, it takes or refuses (libFuzzer, ${SECONDS} s)`, {
    skip: root.skip,
  }, async (t) => {
    const corpus = join(packageRoot, 'kea-hook', 'fuzz', 'corpus', name)
    const work = join(out, `work-${name}`)
    rmSync(work, { recursive: true, force: true })
    for (const folder of ['found', 'corpus', 'broken']) mkdirSync(join(work, folder), { recursive: true })
    cpSync(corpus, join(work, 'corpus'), { recursive: true })
    assert.ok(readdirSync(corpus).length > 3)
    const at = place === 'here' ? out : '/mnt'
    const words = [
      `${at}/fuzz_${name}`,
      ...['found', 'corpus'].map((folder) => `${at}/work-${name}/${folder}`),
      ...[
        `-artifact_prefix=${at}/work-${name}/broken/`,
        `-max_total_time=${SECONDS}`,
        '-max_len=4096',
        '-timeout=10',
      ],
    ]
    const [command, argv]: [string, string[]] =
      place === 'here'
        ? [words[0]!, words.slice(1)]
        : [
            'unshare',
            [
              ...['--mount', '--propagation', 'private', 'sh', '-euc'],
              inRoot.replace('"$@"', words.join(' ')),
              'sh',
              root.root,
              out,
            ],
          ]
    const { stderr } = await run(command, argv, { maxBuffer: 64 * 1024 * 1024 }).catch((error) => {
      throw new Error(`${error.stderr?.slice(-4000)}\nbroken by: ${readdirSync(join(work, 'broken'))}`)
    })
    const runs = Number(/Done (\d+) runs/.exec(stderr)?.[1])
    t.diagnostic(`${runs} inputs, ${readdirSync(join(work, 'found')).length} of them new to the corpus`)
    assert.ok(runs > 1000, stderr.slice(-2000))
  })
}
