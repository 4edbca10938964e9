export type { Expect } from './adapter.case.js';
export { adapterContract } from './adapter.contract.js';
export type { AdapterContractOptions } from './adapter.contract.js';
export type { AdapterFeatures } from './adapter.features.js';
export { createEmission } from './create-emission.js';
export type { CreateOptions } from './create-emission.js';
export type {
  Checked,
  EmissionOf,
  Expected,
  ExpectedEmission,
  Named,
  PartOf,
} from './expectation.js';
export type { RecorderMode } from './captures.js';
export type { Partially } from './partial-match.js';
export { emissionsTestingModule, recordEmissions } from './record-emissions.js';
export type { RecorderOptions } from './record-emissions.js';
export { EmissionRecorder } from './recorder.js';
export { emissionMatchers } from './recorder.matchers.js';
export type { EmissionMatchers, MatcherContext, MatcherVerdict } from './recorder.matchers.js';
export { runHandler } from './run-handler.js';
export type { HandlerOutcome, MethodOf, ResultOf, RunHandlerOptions } from './run-handler.js';
export { serveAdapter } from './served-adapter.js';
export type { Arrival, ServedAdapter } from './served-adapter.js';
export { passTime, settledInNoTime } from './stopped-clock.js';
export type { StoppedClockOptions } from './stopped-clock.js';
export { ExpectationError, TestingError } from './testing.errors.js';
