/** Short names for the contract's schemas. */
import type { components } from './schema';

type Schemas = components['schemas'];
export type User = Schemas['User'];
export type TokenAnswer = Schemas['TokenAnswer'];
export type DeviceSession = Schemas['Session'];
export type Product = Schemas['Product'];
export type Order = Schemas['Order'];
export type OrderSummary = Schemas['OrderSummary'];
export type OrderStatus = Schemas['OrderStatus'];
export type OrderCreate = Schemas['OrderCreate'];
export type Payment = Schemas['Payment'];
export type Notification = Schemas['Notification'];
export type FunctionInfo = Schemas['Function'];
export type FunctionVersion = Schemas['FunctionVersion'];
export type FunctionLog = Schemas['FunctionLog'];
export type InvocationResult = Schemas['InvocationResult'];
export type LogLine = Schemas['LogLine'];
export type OperationsStatus = Schemas['OperationsStatus'];
export type DeadLetter = Schemas['DeadLetter'];
export type Ledger = Schemas['Ledger'];
