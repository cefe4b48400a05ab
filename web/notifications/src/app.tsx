/** What happened: a bell in the header, a history, toasts as things happen. */
export { HistoryPage as default } from './history-page';
export { Bell as HeaderItem } from './bell';
