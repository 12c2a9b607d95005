/** The entries of the guide's troubleshooting that need the service as a process, or a real Kea. */
import { describe, it } from 'node:test'
import { scenes as onKea } from '../guide/scenes-kea.ts'
import { scenes as ofService } from '../guide/scenes-service.ts'
import { play, symptoms } from '../guide/symptoms.ts'
import { mainKea } from '../support/roots.ts'

const { skip } = mainKea()
const scenes = { ...ofService, ...onKea }

// Most of the time they wait: two at a time.
describe('what the troubleshooting quotes is what is said', { skip, concurrency: 2 }, () => {
  for (const symptom of symptoms()) {
    const scene = scenes[symptom.title]
    if (scene !== undefined) it(symptom.title, () => play(symptom, scene))
  }
})
