/* Native attacks for the tests of the seal. JavaScript makes no system calls, so the attack build of the host gives scripts
 * `__attack(name)`, which tries one from inside a sealed worker, as somebody who has broken out of the engine would. */
#ifndef PURSER_FUNCTION_HOST_ATTACKS_H
#define PURSER_FUNCTION_HOST_ATTACKS_H

#include <JavaScriptCore/JavaScript.h>

/* Puts __attack and __attacks (the list of names) into the context. */
void attacks_install(JSGlobalContextRef context);

#endif
