/** Numbers as people read them. */

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const count = (value) => whole.format(value);
export const perSecond = (value) => (value < 100 ? tenths : whole).format(value);
export const milliseconds = (value) => `${(value < 10 && value % 1 > 0 ? tenths : whole).format(value)} ms`;
/** Of a forecast, to which what the loop itself does for a request is nothing. */
export const foretold = (value) => (value < 1 ? '<1 ms' : milliseconds(value));
/** Of a lower bound, which fewer than a hundred requests do not have. */
export const atLeast = (value) => (value === undefined ? '–' : `at least ${foretold(value)}`);
export const difference = (value) =>
  value === null ? '–' : `${value < 0 ? '−' : '+'}${milliseconds(Math.abs(value))}`;
export const seconds = (value) => `${(value < 100 && value % 1 > 0 ? tenths : whole).format(value)} s`;
export const percent = (value) => `${tenths.format(value)} %`;
export const factor = (value) => `${(value < 10 ? tenths : whole).format(value)} times`;
