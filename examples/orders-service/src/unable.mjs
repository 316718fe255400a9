/** Something the user can put right. The demo ends with this one sentence, without a stack. */
export class Unable extends Error {
  name = 'Unable';
}
