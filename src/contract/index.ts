/** The contract between gw and its policies and actions: types only. */
export type { ActionHost, ActionInstance, BodyMemory, CreateAction, Forwarded, StoredCallFacts } from './action.js';
export type { Attempt } from './attempt.js';
export type {
  Absent,
  Authentication,
  CollectBody,
  Identity,
  Refused,
  Unavailable,
} from './authentication.js';
export type { BodyOut, BodySource, BodyStage, StageOut } from './body.js';
export type { CallFailure, CallReply, CallRequest, StreamedReply, SubRequest } from './call.js';
export type { ClientCertificate, ConnectionFacts, TlsFacts } from './connection.js';
export type * from './declaration.js';
export type { CreateDuty, DutyFetchOptions, DutyHost, DutyInstance, DutyReply } from './duty.js';
export type {
  AuthProblem,
  Claims,
  Decision,
  EarlierCaller,
  Exchange,
  ExchangeEnd,
  Reply,
  ReplyBody,
} from './exchange.js';
export type { HeaderFields } from './fields.js';
export type { Condition, CreatePolicy, Logger, PolicyHost } from './host.js';
export type { Awaitable, PolicyInstance, RecordTexts } from './policy.js';
