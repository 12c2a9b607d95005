import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import protobuf from 'protobufjs'
import { Origin } from '../../sidecar/binding.ts'
import { contractFields, contractRoot } from '../../sidecar/feed/contract.ts'
import { FeedErrorCode, Operation } from '../../sidecar/feed/events.ts'

const namespace = contractRoot.lookup('kea.lease_feed.v1') as protobuf.Namespace

/** As the table of the sidecar writes it. */
function written(field: protobuf.Field): string {
  if (field.repeated) return `${field.type}[]`
  field.resolve()
  const isMessage = field.resolvedType instanceof protobuf.Type
  return isMessage ? `${field.type}?` : field.type
}

describe('the table of the contract', () => {
  const types = namespace.nestedArray.filter((nested) => nested instanceof protobuf.Type)

  it('names the messages of proto/lease_feed.proto', () => {
    assert.deepEqual(Object.keys(contractFields).sort(), types.map(({ name }) => name).sort())
  })

  for (const type of types) {
    it(`has the fields of ${type.name}`, () => {
      const fields = Object.fromEntries(type.fieldsArray.map((field) => [field.name, written(field)]))
      assert.deepEqual({ ...contractFields[type.name as keyof typeof contractFields] }, fields)
    })
  }

  it('has the numbers of its enumerations', () => {
    const valuesOf = (path: string) => contractRoot.lookupEnum(`kea.lease_feed.v1.${path}`).values
    assert.deepEqual(Object.values(valuesOf('Origin')), Object.values(Origin))
    assert.deepEqual(Object.values(valuesOf('Operation')), [0, ...Object.values(Operation)])
    assert.deepEqual(Object.values(valuesOf('Error.Code')), Object.values(FeedErrorCode))
  })

  it('uses no field number twice and none below 1', () => {
    for (const type of types) {
      const ids = type.fieldsArray.map(({ id }) => id)
      assert.equal(new Set(ids).size, ids.length, type.name)
      assert.ok(ids.every((id) => id >= 1))
    }
  })
})
