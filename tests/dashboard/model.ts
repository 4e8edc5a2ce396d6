// A dashboard as Grafana's JSON model has it, in JSON's words: members of enums are written as their values.
import type { Dashboard, Panel, RowPanel } from '@grafana/schema';
import type * as TimeSeries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Plain<T> = T extends string
    ? `${T}`
    : T extends number
      ? `${T}` extends `${infer N extends number}`
          ? N
          : T
      : T extends object
        ? { [K in keyof T]: Plain<T[K]> }
        : T;

type DeepPartial<T> = T extends object ? { [K in keyof T]?: DeepPartial<T[K]> } : T;

// The one kind of panel that there is; options that are absent are as Grafana has them.
type Graph = Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
    type: 'timeseries';
    options: DeepPartial<TimeSeries.Options>;
    fieldConfig: Omit<NonNullable<Panel['fieldConfig']>, 'defaults'> & {
        defaults: Omit<NonNullable<Panel['fieldConfig']>['defaults'], 'custom'> & {
            custom?: DeepPartial<TimeSeries.FieldConfig>;
        };
    };
    targets: Query[];
};

// Prometheus's query, of which the model has no more than that it is one.
interface Query {
    refId: string;
    expr: string;
    legendFormat?: string;
    instant?: boolean;
    range?: boolean;
    format?: 'time_series' | 'table' | 'heatmap';
    interval?: string;
    datasource: { type: 'prometheus'; uid: string };
}

type Row = Omit<RowPanel, 'panels'> & { panels: Graph[] };

export type Model = Plain<Omit<Dashboard, 'panels'> & { panels: (Graph | Row)[] }>;
