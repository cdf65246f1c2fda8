import { expect, it } from 'vitest'
import { reactive, ref } from 'vue'

import { plain } from '../src/state/plain'

it('gives the worker values that can be copied, however deep a proxy lies', () => {
  const form = ref({ values: { assignees: ['u1'], checklist: [{ item: '查水表', done: false }] }, note: null })
  const given = { do: 'create', values: reactive(form.value.values), bytes: new Uint8Array([1, 2]) }
  expect(structuredClone(plain(given))).toEqual({
    do: 'create',
    values: { assignees: ['u1'], checklist: [{ item: '查水表', done: false }] },
    bytes: new Uint8Array([1, 2]),
  })
  expect(() => structuredClone(form.value)).toThrow()
})
