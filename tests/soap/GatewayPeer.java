import ihe.iti.xds_b._2007.DocumentRequestType;
import ihe.iti.xds_b._2007.InitiatingGatewayPortType;
import ihe.iti.xds_b._2007.InitiatingGatewayService;
import ihe.iti.xds_b._2007.RetrieveDocumentSetRequestType;
import ihe.iti.xds_b._2007.RetrieveDocumentSetResponseType;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import javax.xml.bind.JAXBElement;
import oasis.names.tc.ebxml_regrep.xsd.query._3.AdhocQueryRequest;
import oasis.names.tc.ebxml_regrep.xsd.query._3.AdhocQueryResponse;
import oasis.names.tc.ebxml_regrep.xsd.query._3.ResponseOptionType;
import oasis.names.tc.ebxml_regrep.xsd.rim._3.AdhocQueryType;
import oasis.names.tc.ebxml_regrep.xsd.rim._3.ExternalIdentifierType;
import oasis.names.tc.ebxml_regrep.xsd.rim._3.ExtrinsicObjectType;
import oasis.names.tc.ebxml_regrep.xsd.rim._3.IdentifiableType;
import oasis.names.tc.ebxml_regrep.xsd.rim._3.SlotType1;
import oasis.names.tc.ebxml_regrep.xsd.rim._3.ValueListType;
import oasis.names.tc.ebxml_regrep.xsd.rs._3.RegistryError;

/** A client made of the Initiating Gateway's WSDL alone: it finds a patient's documents, and retrieves each from its community. */
public class GatewayPeer {
    static SlotType1 slot(String name, String value) {
        SlotType1 slot = new SlotType1();
        slot.setName(name);
        slot.setValueList(new ValueListType());
        slot.getValueList().getValue().add(value);
        return slot;
    }

    static String slot(ExtrinsicObjectType document, String name) {
        for (SlotType1 slot : document.getSlot()) {
            if (slot.getName().equals(name)) {
                return slot.getValueList().getValue().get(0);
            }
        }
        return "";
    }

    static String uniqueId(ExtrinsicObjectType document) {
        for (ExternalIdentifierType identifier : document.getExternalIdentifier()) {
            if (identifier.getIdentificationScheme().equals("urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab")) {
                return identifier.getValue();
            }
        }
        return "";
    }

    public static void main(String[] args) throws Exception {
        InitiatingGatewayPortType port = new InitiatingGatewayService(new URL(args[0])).getInitiatingGatewayPortSoap12();

        AdhocQueryRequest request = new AdhocQueryRequest();
        ResponseOptionType option = new ResponseOptionType();
        option.setReturnType("LeafClass");
        option.setReturnComposedObjects(true);
        request.setResponseOption(option);
        AdhocQueryType query = new AdhocQueryType();
        query.setId("urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d");
        query.getSlot().add(slot("$XDSDocumentEntryPatientId", "'" + args[1] + "'"));
        query.getSlot().add(slot("$XDSDocumentEntryStatus", "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')"));
        request.setAdhocQuery(query);
        AdhocQueryResponse answer = port.initiatingGatewayRegistryStoredQuery(request);
        System.out.println("status " + answer.getStatus());
        if (answer.getRegistryErrorList() != null) {
            for (RegistryError error : answer.getRegistryErrorList().getRegistryError()) {
                System.out.println("error " + error.getErrorCode() + " " + error.getLocation());
            }
        }

        RetrieveDocumentSetRequestType retrieve = new RetrieveDocumentSetRequestType();
        for (JAXBElement<? extends IdentifiableType> found : answer.getRegistryObjectList().getIdentifiable()) {
            ExtrinsicObjectType document = (ExtrinsicObjectType) found.getValue();
            DocumentRequestType wanted = new DocumentRequestType();
            wanted.setHomeCommunityId(document.getHome());
            wanted.setRepositoryUniqueId(slot(document, "repositoryUniqueId"));
            wanted.setDocumentUniqueId(uniqueId(document));
            retrieve.getDocumentRequest().add(wanted);
        }
        for (RetrieveDocumentSetResponseType.DocumentResponse got :
                port.initiatingGatewayRetrieveDocumentSet(retrieve).getDocumentResponse()) {
            String text = new String(got.getDocument().getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            System.out.println("retrieved " + got.getHomeCommunityId() + " " + got.getDocumentUniqueId() + " " + text);
        }
    }
}
