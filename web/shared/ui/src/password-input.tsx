/** The kit's, and its state is told to screen readers, too. */
import { PasswordInput as Kit } from '@mantine/core';
import type { PasswordInputProps } from '@mantine/core';

const TOGGLE = { 'aria-label': 'Show or hide the password' };

export function PasswordInput(props: PasswordInputProps) {
  return <Kit visibilityToggleButtonProps={TOGGLE} aria-invalid={props.error ? true : undefined} {...props} />;
}
