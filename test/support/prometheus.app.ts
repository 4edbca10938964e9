// #region docs
import { Controller, Get, Inject, Module, Req, Res } from '@nestjs/common';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { EmissionsOpenTelemetryModule } from 'nestjs-emissions/opentelemetry';

// The application serves the metrics itself; without preventServerStart, the exporter does, at port 9464.
const exporter = new PrometheusExporter({ preventServerStart: true });
const meterProvider = new MeterProvider({ readers: [exporter] });

@Controller('metrics')
class MetricsController {
  constructor(@Inject(PrometheusExporter) private readonly prometheus: PrometheusExporter) {}

  @Get()
  scrape(@Req() request: IncomingMessage, @Res() response: ServerResponse) {
    this.prometheus.getMetricsRequestHandler(request, response);
  }
}

@Module({
  imports: [EmissionsOpenTelemetryModule.forRoot({ meterProvider })],
  controllers: [MetricsController],
  providers: [{ provide: PrometheusExporter, useValue: exporter }],
})
export class MetricsModule {}
// #endregion
