export type { Partially } from './partial-match.js';
export { EmissionRecorder, recordEmissions } from './recorder.js';
export { ExpectationError } from './testing.errors.js';
