/** Rows of facts: a table where there is room for one, else each row by itself with its values named. */
import type { ReactNode } from 'react';
import { VisuallyHidden } from '@mantine/core';

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ReactNode;
  numeric?: boolean;
  /** Holds what can be done with the row; its title is for screen readers. */
  action?: boolean;
}

interface Props<Row> {
  label: string;
  /** The first names the row. */
  columns: Column<Row>[];
  rows: Row[];
  rowKey: (row: Row) => string;
}

/** Roles are said, since browsers forget those of a table that is laid out as something else. */
export function DataTable<Row>({ label, columns, rows, rowKey }: Props<Row>) {
  return (
    <div className="data-table">
      <table role="table" aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <th key={column.title} role="columnheader" scope="col" className={styleOf(column)}>{column.action ? <VisuallyHidden>{column.title}</VisuallyHidden> : column.title}</th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={rowKey(row)} role="row">
              {columns.map((column, index) => (index === 0
                ? <th key={column.title} role="rowheader" scope="row">{column.cell(row)}</th>
                : <td key={column.title} role="cell" className={styleOf(column)} data-title={column.action ? undefined : column.title}>{column.cell(row)}</td>))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function styleOf({ numeric, action }: { numeric?: boolean; action?: boolean }): string | undefined {
  return action ? 'action' : numeric ? 'numeric end' : undefined;
}
