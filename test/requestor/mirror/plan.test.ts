import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  FIRST_POSITION,
  MirrorPlan,
  type PlanAction,
  type PlanInput,
  type Position,
} from '../../../sidecar/requestor/mirror/plan.ts'

const NOW = 1_800_000_000
const settings = { retrySeconds: 60, pollSeconds: undefined }
const at = (since: number): Position => ({ since, generation: 3, due: undefined })

/** A plan with a clock that a test moves. */
class Story {
  readonly plan: MirrorPlan
  now = NOW

  constructor(position: Position, pollSeconds?: number) {
    this.plan = new MirrorPlan(position, { ...settings, pollSeconds })
  }

  does(input: PlanInput | 'time', after = 0): string[] {
    this.now += after
    return this.plan.handle(input === 'time' ? { type: 'time' } : input, this.now).map(short)
  }

  /** A new process, with what the old one kept. */
  again(): Story {
    const story = new Story(JSON.parse(JSON.stringify(this.plan.position)))
    story.now = this.now
    return story
  }
}

function short(action: PlanAction): string {
  switch (action.do) {
    case 'ask-active':
      return `active since ${action.since}`
    case 'ask-bulk': {
      const { window } = action
      return window === undefined ? 'bulk' : `bulk from ${window.start} to ${window.end}`
    }
    default:
      return action.do
  }
}

describe('what a mirror does', () => {
  it('7724-4-01, 7653-4-01: begins with Bulk, then follows from its first base-time (RFC 7724 section 4, RFC 7653 section 4)', () => {
    const story = new Story(FIRST_POSITION)
    assert.deepEqual(story.does('time'), ['bulk'])
    assert.equal(story.plan.phase, 'bulk')
    assert.deepEqual(story.does({ type: 'bulk-told' }, 5), ['sweep'])
    assert.equal(story.plan.position.since, undefined, 'nothing is kept before the sweep')
    assert.deepEqual(story.does({ type: 'bulk-done', baseTime: NOW - 3600 }), [`active since ${NOW - 3600}`])
    assert.equal(story.plan.phase, 'catching-up')
    assert.deepEqual(story.does({ type: 'caught-up', resumePoint: NOW - 3500 }), [])
    assert.equal(story.plan.phase, 'live')
    assert.equal(story.plan.deadline, undefined)
  })

  it('takes the clocks as equal where a Bulk answer has no base-time at all (RFC 6926 section 6.2.6)', () => {
    const story = new Story(FIRST_POSITION)
    story.does('time')
    assert.deepEqual(story.does({ type: 'bulk-done', baseTime: undefined }, 30), [`active since ${NOW}`])
  })

  it('7724-7.1-02, 7653-8.1-02: connects no more than once in 60 s, and at once where the last attempt is older (RFC 7724 section 7.1)', () => {
    const story = new Story(at(500))
    assert.deepEqual(story.does('time'), ['active since 500'])
    assert.deepEqual(story.does({ type: 'active-over' }, 1), [])
    assert.equal(story.plan.phase, 'waiting')
    assert.equal(story.plan.deadline, NOW + 60)
    assert.deepEqual(story.does('time', 58), [])
    assert.deepEqual(story.does('time', 1), ['active since 500'])
    story.does({ type: 'caught-up', resumePoint: 600 }, 3)
    assert.deepEqual(story.does({ type: 'active-over' }, 3600), ['active since 600'])
  })

  it('retries a Bulk query that failed as rarely, from its start (RFC 6926 section 7.1)', () => {
    const story = new Story(FIRST_POSITION)
    story.does('time')
    assert.deepEqual(story.does({ type: 'bulk-over' }, 10), [])
    assert.equal(story.plan.deadline, NOW + 60)
    assert.deepEqual(story.does('time', 50), ['bulk'])
  })

  it('keeps its position still while it catches up, whatever it is told (RFC 7724 section 7.4.1)', () => {
    const story = new Story(at(500))
    story.does('time')
    story.does({ type: 'told', resumePoint: 500 })
    assert.deepEqual(story.does({ type: 'active-over' }, 100), ['active since 500'])
    story.does({ type: 'caught-up', resumePoint: 700 })
    story.does({ type: 'told', resumePoint: 710 })
    assert.deepEqual(story.again().does('time'), ['active since 710'])
  })

  it('recovers from DataMissing by Bulk beside Active: the gap, then everything (RFC 7724 section 7.4.1)', () => {
    const story = new Story(at(500))
    story.does('time')
    const missing = { type: 'data-missing', resumePoint: 9000, baseTime: 9000 } as const
    assert.deepEqual(story.does(missing, 1), ['bulk from 500 to 9000'])
    assert.equal(story.plan.phase, 'recovering')
    assert.deepEqual(story.does({ type: 'window-done' }), [])
    story.does({ type: 'told', resumePoint: 9100 })
    assert.deepEqual(story.does({ type: 'bulk-told' }), ['sweep'])
    assert.deepEqual(story.does({ type: 'bulk-done', baseTime: 9050 }), [])
    assert.deepEqual(story.plan.position, { since: 9100, generation: 5, due: undefined })
    assert.equal(story.plan.phase, 'live')
  })

  it('owes the recovery across a restart, and does it once it is connected', () => {
    const story = new Story(at(500))
    story.does('time')
    story.does({ type: 'data-missing', resumePoint: 9000, baseTime: 9000 })
    const again = story.again()
    assert.deepEqual(again.does('time'), ['active since 9000'])
    assert.deepEqual(again.does({ type: 'caught-up', resumePoint: 9001 }), ['bulk from 500 to 9000'])
  })

  it('bothers a server that is down with the active query alone', () => {
    const story = new Story({ since: 500, generation: 1, due: { window: undefined } })
    assert.deepEqual(story.does('time'), ['active since 500'])
    story.does({ type: 'active-over' })
    assert.deepEqual(story.does('time', 60), ['active since 500'])
  })

  it('begins Bulk anew when a second gap appears while it runs, no sooner than the retry time', () => {
    const story = new Story(at(500))
    story.does('time')
    story.does({ type: 'data-missing', resumePoint: 9000, baseTime: 9000 })
    story.does({ type: 'active-over' })
    story.does('time', 60)
    const second = story.does({ type: 'data-missing', resumePoint: 9800, baseTime: 9800 })
    assert.deepEqual(second, ['stop-bulk', 'bulk from 500 to 9800'])
    const third = story.does({ type: 'data-missing', resumePoint: 9900, baseTime: 9900 }, 1)
    assert.deepEqual(third, ['stop-bulk'])
    assert.deepEqual(story.does('time', 59), ['bulk from 500 to 9900'])
  })

  it('takes a DataMissing without base-time for an open window', () => {
    const story = new Story(at(500))
    story.does('time')
    const missing = { type: 'data-missing', resumePoint: 500, baseTime: undefined } as const
    assert.deepEqual(story.does(missing), ['bulk from 500 to undefined'])
  })

  it('7724-3-01: polls a server without Active Leasequery, and never asks it an active query', () => {
    const story = new Story(FIRST_POSITION, 300)
    assert.deepEqual(story.does('time'), ['bulk'])
    assert.deepEqual(story.does({ type: 'bulk-told' }), ['sweep'])
    assert.deepEqual(story.does({ type: 'bulk-done', baseTime: 9000 }, 2), [])
    assert.equal(story.plan.deadline, NOW + 302)
    assert.deepEqual(story.does('time', 299), [])
    assert.deepEqual(story.does('time', 1), ['bulk'])
    story.does({ type: 'bulk-over' }, 1)
    assert.deepEqual(story.does('time', 59), ['bulk'])
  })
})
