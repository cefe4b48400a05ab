/** Starts the application: styles, session, live connection, then the frame. */
import './runtime';
import '@purser/ui/styles.css';
import { createRoot } from 'react-dom/client';
import { startSession } from '@purser/api';
import { startLive } from '@purser/live';
import { Application } from './application';

const root = document.getElementById('root');
if (root === null) throw new Error('no place to draw');
startLive();
void startSession();
createRoot(root).render(<Application />);
