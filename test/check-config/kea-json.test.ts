// Kea's dialect of JSON, and the lines that mistakes are told with.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readKeaJson } from '../../sidecar/check-config/kea-json.ts'
import { find, plain } from '../../sidecar/check-config/nodes.ts'

const folder = mkdtempSync(join(tmpdir(), 'alq-kea-json-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function write(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

const read = (text: string) => readKeaJson(write('kea.conf', text))
const value = (text: string) => plain(read(text), new Set())

test('comments of all three kinds, and commas after the last entry', () => {
  const text =
    '// one\n# two\n/* three\n * still */ { "a": [ 1, -2.5e1, ], # four\n "b": "// no # comment /* at all", }'
  assert.deepEqual(value(text), { a: [1, -25], b: '// no # comment /* at all' })
})

test('strings have the escapes of JSON; true, false and null are words', () => {
  assert.deepEqual(value('{ "a\\n\\u00e4\\"": [ true, false, null ] }'), { 'a\nä"': [true, false, null] })
})

test('an included file stands where it is included, with lines of its own', () => {
  const inner = write('inner.json', '\n"b": {\n  "c": 3\n},\n')
  const root = read(`{ "a": 1,\n<?include "${inner}"?>\n"d": 4 }`)
  assert.deepEqual(plain(root, new Set()), { a: 1, b: { c: 3 }, d: 4 })
  assert.deepEqual(find(root, 'b.c').at, { file: inner, line: 3 })
  assert.equal(find(root, 'd').at.line, 3)
})

test('files that include each other end', () => {
  const file = join(folder, 'loop.json')
  write('loop.json', `<?include "${file}"?>`)
  assert.throws(() => readKeaJson(file), /loop\.json:1: more than 10 files include each other/)
})

const wrong: readonly [what: string, text: string, message: RegExp][] = [
  ['a comma that is missing', '{\n"a": 1\n"b": 2 }', /kea\.conf:3: a comma or } is wanted where "b" stands/],
  [
    'a bracket that is missing',
    '{ "a": [ 1,\n2 ',
    /kea\.conf:2: a comma or \] is wanted where the end of the file stands/,
  ],
  ['a name without quotes', '{\n\na: 1 }', /kea\.conf:3: 'a' is not JSON/],
  ['True with a capital', '{ "a": True }', /kea\.conf:1: 'True' is not JSON/],
  ['a string without its end', '{ "a": "b\n }', /kea\.conf:1: '"b' is not JSON/],
  ['a string with an unknown escape', '{ "a": "\\q" }', /kea\.conf:1: '"\\q"' is no JSON string/],
  ['a comment without its end', '{ } /* ', /kea\.conf:1: '\/\*/],
  ['a colon that is missing', '{ "a" 1 }', /kea\.conf:1: : after "a" is wanted where 1 stands/],
  ['a name that stands there twice', '{ "a": 1,\n"a": 2 }', /kea\.conf:2: "a" stands there twice/],
  ['two configurations', '{ } { }', /kea\.conf:1: more follows after the end/],
  ['nothing at all', '# empty\n', /kea\.conf:2: a value is wanted where the end of the file stands/],
  [
    'an included file that is not there',
    '{\n<?include "/nowhere.json"?> }',
    /kea\.conf:2: the included file \/nowhere\.json cannot be read: ENOENT/,
  ],
  ['depth without end', '['.repeat(200), /more than 100 maps and lists within each other/],
]
for (const [what, text, message] of wrong) {
  test(`${what} is told with its line`, () => assert.throws(() => read(text), message))
}

test('a file that is not there, or none, is said', () => {
  assert.throws(
    () => readKeaJson('/nowhere/kea.conf'),
    /^SidecarError: \/nowhere\/kea\.conf: it cannot be read: ENOENT/,
  )
  assert.throws(() => readKeaJson(folder), /it is no file/)
})
