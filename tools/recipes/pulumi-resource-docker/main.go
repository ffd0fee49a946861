// Command pulumi-resource-docker serves the resources of Pulumi's Docker plugin
// by bridging the Terraform provider, for machines that cannot download the
// official plugin. docs/install.md lists where the two differ.
package main

import (
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shimv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/terraform-providers/terraform-provider-docker/shim"
)

// version is set by the linker.
var version = "0.0.0"

func resource(name string) *tfbridge.ResourceInfo {
	return &tfbridge.ResourceInfo{Tok: tfbridge.MakeResource("docker", "index", name)}
}

// autoNamed resources get a random suffix when the program leaves `name` out,
// so that a replacement may stand beside what it replaces.
func autoNamed(name string) *tfbridge.ResourceInfo {
	r := resource(name)
	r.Fields = map[string]*tfbridge.SchemaInfo{"name": tfbridge.AutoName("name", 255, "-")}
	return r
}

func containers() *tfbridge.ResourceInfo {
	r := autoNamed("Container")
	r.Fields["networks_advanced"] = &tfbridge.SchemaInfo{Name: "networksAdvanced"}
	r.DeleteBeforeReplace = true
	return r
}

func provider() tfbridge.ProviderInfo {
	return tfbridge.ProviderInfo{
		P:       shimv2.NewProvider(withLimits(shim.NewProvider())),
		Name:    "docker",
		Version: version,
		// The SDK says registryAuth; the bridge would make a plural of it.
		Config: map[string]*tfbridge.SchemaInfo{"registry_auth": {Name: "registryAuth"}},
		Resources: map[string]*tfbridge.ResourceInfo{
			"docker_container":      containers(),
			"docker_image":          resource("RemoteImage"),
			"docker_network":        autoNamed("Network"),
			"docker_volume":         autoNamed("Volume"),
			"docker_secret":         resource("Secret"),
			"docker_service":        resource("Service"),
			"docker_config":         resource("ServiceConfig"),
			"docker_plugin":         resource("Plugin"),
			"docker_registry_image": resource("RegistryImage"),
			"docker_tag":            resource("Tag"),
		},
	}
}

func main() {
	schema := []byte(`{"name":"docker","version":"` + version + `"}`)
	tfbridge.Main("docker", version, provider(), schema)
}
