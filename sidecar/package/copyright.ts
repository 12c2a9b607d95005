// Of whom the npm packages inside the Debian package are, and how they may be passed on: the end of debian/copyright.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Texts that every Debian has. */
const commonTexts: Readonly<Record<string, string>> = {
  'Apache-2.0': '/usr/share/common-licenses/Apache-2.0',
}

/** What is linked into the binaries of a package, with the licenses that lie in it. */
const linked: Readonly<Record<string, readonly (readonly [library: string, file: string])[]>> = {
  'classic-level': [
    ['LevelDB', 'deps/leveldb/leveldb-1.20/LICENSE'],
    ['Snappy', 'deps/snappy/snappy/COPYING'],
  ],
}

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license?: string
  readonly author?: string
}

/**
 * @param folders of the packages, with all that npm unpacked there
 * @throws Error for a package whose license is not known
 */
export function copyrightOf(folders: readonly string[]): string {
  return folders.map((folder) => `\n${section(folder)}\n`).join('')
}

function section(folder: string): string {
  const { name, version, license, author } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  ) as Manifest
  if (!license) throw new Error(`${name} ${version} does not say what its license is`)
  const head = `${'-'.repeat(78)}\n${name} ${version} (npm), in /usr/lib/kea-leasequery/node_modules/${name}: ${license}\n`
  const common = commonTexts[license]
  const files = readdirSync(folder).filter((file) => /^licen[cs]e/i.test(file))
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trim())
  if (texts.length === 0) texts.push(`Copyright ${author}, who gives it under the ${license} license.`)
  return [
    head,
    ...(common === undefined ? texts : [`The text of the license is ${common}.`]),
    ...(linked[name] ?? []).map(
      ([library, file]) => `Linked into its binary is ${library}:\n\n${licenseText(join(folder, file))}`,
    ),
  ].join('\n\n')
}

function licenseText(path: string): string {
  if (!existsSync(path)) throw new Error(`there is no license any more in ${path}`)
  return readFileSync(path, 'utf8').trim()
}
