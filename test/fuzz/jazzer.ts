/**
 * Runs Jazzer.js (libFuzzer for Node) on a target. It needs a C library newer than Debian 12's, so it runs inside a Debian
 * root of the laboratory, with this machine's Node, the compiled tests (read only) and a folder for what it finds.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { packagePath } from '../support/package-root.ts'
import { type KeaRoot, mainKea } from '../support/roots.ts'
import { hex } from '../wire/bytes.ts'
import { targetNamed } from './targets.ts'

export interface Fuzzed {
  readonly runs: number
  /** Edges of the code that were reached. */
  readonly coverage: number
  /** The octets that brought a fault to light, and what was said of it. */
  readonly fault: { readonly octets: Uint8Array; readonly text: string } | undefined
}

// /mnt, /srv and /media are empty in every Debian root; the mounts end with their namespace.
const script = `
  root=$1 package=$2 node=$3 work=$4; shift 4
  mount --bind "$package" "$root/mnt" && mount -o remount,bind,ro "$root/mnt"
  mount --bind "$node" "$root/srv"
  mount --bind "$work" "$root/media"
  mount --rbind /dev "$root/dev"
  mount -t proc proc "$root/proc"
  exec chroot "$root" env -i PATH=/usr/bin:/bin HOME=/media FUZZ_TARGET="$FUZZ_TARGET" \\
    /srv/node /mnt/node_modules/@jazzer.js/core/dist/cli.js /mnt/dist/test/fuzz/entry.js "$@"`

/**
 * @param seconds how long to search, beside some seconds of set-up
 * @param work a folder of its own: `corpus/` is added to and used again, `found/` gets what fails
 */
export async function fuzz(
  name: string,
  seconds: number,
  work: string,
  root: KeaRoot = mainKea(),
): Promise<Fuzzed> {
  const corpus = join(work, 'corpus')
  const found = join(work, 'found')
  for (const folder of [corpus, found]) mkdirSync(folder, { recursive: true })
  const begin = [...targetNamed(name).seeds(), ...kept(name).map(({ octets }) => octets)]
  for (const [i, octets] of begin.entries()) writeFileSync(join(corpus, `seed-${i}`), octets)
  const before = new Set(readdirSync(found))
  const parts = [root.root, packagePath(), dirname(process.execPath), work, '/media/corpus']
  const code = ['--includes', '/mnt/dist/sidecar', '--includes', 'planted', '--excludes', 'node_modules']
  const options = [...code, '--sync', '--']
  const limits = [
    `-max_total_time=${seconds}`,
    '-max_len=4096',
    '-timeout=60',
    '-artifact_prefix=/media/found/',
  ]
  const output = await new Promise<string>((resolve) => {
    execFile(
      'unshare',
      [
        '--mount',
        '--propagation',
        'private',
        'bash',
        '-euc',
        script,
        'fuzz',
        ...parts,
        ...options,
        ...limits,
      ],
      { env: { ...process.env, FUZZ_TARGET: name }, maxBuffer: 1 << 30 },
      (_, stdout, stderr) => resolve(`${stdout}${stderr}`),
    )
  })
  const crash = readdirSync(found).find((file) => !before.has(file))
  const fault =
    crash === undefined ? undefined : { octets: readFileSync(join(found, crash)), text: reasonIn(output) }
  const runs = Number(/^Done (\d+) runs/m.exec(output)?.[1] ?? 0)
  if (fault === undefined && runs === 0)
    throw new Error(`Jazzer.js did not run ${name}:\n${output.slice(-3000)}`)
  const reached = [...output.matchAll(/ cov: (\d+) /g)].map(([, edges]) => Number(edges))
  return { runs, coverage: Math.max(0, ...reached), fault }
}

function reasonIn(output: string): string {
  const at = output.indexOf('Uncaught Exception')
  return output.slice(Math.max(0, at), at < 0 ? undefined : at + 1500).trim()
}

/** Inputs that once brought a fault to light; test/vectors/found/TARGET/*.hex. */
export function kept(target: string): { name: string; octets: Uint8Array }[] {
  const folder = packagePath('test', 'vectors', 'found', target)
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .filter((name) => name.endsWith('.hex'))
    .map((name) => ({ name, octets: hex(readFileSync(join(folder, name), 'utf8')) }))
}
