// The entries of the guide's troubleshooting that a service in this process shows; the others are in test/slow/symptoms.test.ts.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { scenes as onKea } from './scenes-kea.ts'
import { scenes as ofRequestors } from './scenes-requestor.ts'
import { scenes as ofService } from './scenes-service.ts'
import { play, symptoms } from './symptoms.ts'

const all = symptoms()

it('every entry of the troubleshooting has a scene, and every scene an entry', () => {
  const scenes = [...Object.keys(ofRequestors), ...Object.keys(ofService), ...Object.keys(onKea)]
  assert.deepEqual(all.map(({ title }) => title).sort(), scenes.sort())
})

describe('what the troubleshooting quotes is what is said', () => {
  for (const symptom of all) {
    const scene = ofRequestors[symptom.title]
    if (scene !== undefined) it(symptom.title, () => play(symptom, scene))
  }
})
