package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

// withLimits adds the two container limits that the newest published module of
// the Terraform provider lacks, memory_reservation (MiB) and cpus, and applies
// them through the Docker API once the provider has made or updated the container.
func withLimits(p *schema.Provider) *schema.Provider {
	r := p.ResourcesMap["docker_container"]
	r.Schema["memory_reservation"] = &schema.Schema{Type: schema.TypeInt, Optional: true}
	r.Schema["cpus"] = &schema.Schema{Type: schema.TypeString, Optional: true, ForceNew: true}
	create, update := r.CreateContext, r.UpdateContext
	r.CreateContext = func(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
		if ds := create(ctx, d, meta); ds.HasError() {
			return ds
		}
		return applyLimits(ctx, d, meta)
	}
	r.UpdateContext = func(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
		if ds := update(ctx, d, meta); ds.HasError() {
			return ds
		}
		return applyLimits(ctx, d, meta)
	}
	return p
}

func applyLimits(ctx context.Context, d *schema.ResourceData, meta any) diag.Diagnostics {
	var limits container.Resources
	if v, ok := d.GetOk("memory_reservation"); ok {
		limits.MemoryReservation = int64(v.(int)) << 20
	}
	if v, ok := d.GetOk("cpus"); ok {
		cpus, err := strconv.ParseFloat(v.(string), 64)
		if err != nil {
			return diag.FromErr(fmt.Errorf("cpus: %q is not a number of CPUs such as \"1.5\"", v))
		}
		limits.NanoCPUs = int64(cpus * 1e9)
	}
	_, err := shim.Client(meta).ContainerUpdate(ctx, d.Id(), container.UpdateConfig{Resources: limits})
	return diag.FromErr(err)
}
