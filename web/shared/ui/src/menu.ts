/** Menus and what places them: much code, needed by nobody who is not signed in. Not part of the kit that all share. */
export { Menu } from '@mantine/core';
